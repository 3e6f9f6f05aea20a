"""python -m covaudit models ..."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit.commands.base import AsJson, build_app, print_json, print_table
from covaudit.errors import BadExperiment, CovauditError, UnknownName

if TYPE_CHECKING:
    from pathlib import Path

    from models.specs import NetworkSpec

app = build_app("The networks that can be trained.")


@app.command("list")
def list_networks(as_json: AsJson = False) -> None:
    """List the networks; any convolutional network of timm is one too, as timm:NAME."""
    from covaudit.settings import Settings
    from models.registry import NETWORKS

    folder = Settings.from_env().weights
    described = [_described(spec, folder) for spec in NETWORKS.values()]
    if as_json:
        print_json(described)
        return
    rows = [
        (
            one["name"], one["title"], f"{one['parameters']:,}", _printed(one), f"{one['native_size']} px",
            f"{one['minimum_size']} px", one["target_layer"], one["imagenet_weights"],
        )
        for one in described
    ]  # fmt: skip
    print_table(rows, ("NAME", "TITLE", "PARAMETERS", "PAPER 1", "SIZE", "LEAST", "HEAT MAP OF", "IMAGENET WEIGHTS"))
    typer.echo("\nParameters with 2 classes and 3 channels. Any convolutional network of timm is one too: timm:NAME.")


@app.command("show")
def show_network(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a network, such as cvrnet or timm:NAME.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a network."""
    from covaudit.settings import Settings
    from models.registry import NETWORKS, spec_of

    try:
        spec = spec_of(name)
    except KeyError:
        raise UnknownName("network", name, [*NETWORKS, "timm:NAME"]) from None
    except ValueError as error:
        raise BadExperiment(str(error)) from error
    shown = _described(spec, Settings.from_env().weights)
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        typer.echo(f"{key.replace('_', ' ') + ':':20}{_text(value)}")


def _described(spec: "NetworkSpec", folder: "Path | None") -> dict[str, Any]:
    """Plain JSON; `printed` is the number of parameters, in millions, in paper 1's Table 5."""
    from models.pretrained import WeightsError, where_weights_are

    try:
        weights = where_weights_are(spec, folder)
    except WeightsError as error:
        raise CovauditError(str(error)) from error
    return {
        "name": spec.name,
        "title": spec.title,
        "parameters": spec.parameters,
        "printed": spec.printed.millions if spec.printed else None,
        "printed_agrees": spec.printed.agrees_with(spec.parameters) if spec.printed else None,
        "printed_remark": spec.printed.remark if spec.printed else None,
        "native_size": spec.native_size,
        "minimum_size": spec.minimum_size,
        "size_multiple": spec.size_multiple,
        "target_layer": spec.cam_layers[0],
        "cam_targets": {view: list(layers) for view, layers in spec.cam_targets.items()},
        "imagenet_weights": weights,
        "weights_from": {backbone.timm_name: backbone.origin for backbone in spec.backbones},
        "mean": list(spec.normalisation.mean),
        "spread": list(spec.normalisation.spread),
        "publication": spec.publication,
        "remarks": list(spec.remarks),
    }


def _printed(described: dict[str, Any]) -> str:
    if described["printed"] is None:
        return "–"
    return f"{described['printed']} M{'' if described['printed_agrees'] else ' (differs)'}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return {None: "–", True: "yes", False: "no"}.get(value, f"{value:,}" if isinstance(value, int) else str(value))
