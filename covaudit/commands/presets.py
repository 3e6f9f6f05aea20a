"""python -m covaudit presets ..."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from covaudit.commands.base import AsJson, build_app, open_store, plain, print_json, print_table
from covaudit.errors import UnknownName

app = build_app("Experiments to start from: the demo, open sources, both papers' set-ups as printed.")


@app.command("list")
def list_presets(as_json: AsJson = False) -> None:
    """List the presets, which of their sources are missing here, and how those are had."""
    from covaudit.domain.presets import PRESETS, missing
    from covaudit.sources.catalog import CARDS
    from covaudit.store import sources

    known = sources.listing(open_store())
    lacking = {name: missing(preset, known) for name, preset in PRESETS.items()}
    if as_json:
        print_json([_row(name, lacking[name], CARDS) for name in PRESETS])
        return
    rows = [
        (name, preset.task.name, preset.network, ", ".join(lacking[name]) or "–", preset.name)
        for name, preset in PRESETS.items()
    ]
    print_table(rows, ("NAME", "TASK", "NETWORK", "MISSING HERE", "TITLE"))
    wanted = sorted({source for names in lacking.values() for source in names})
    if wanted:
        typer.echo("\nHow what is missing is had:")
        print_table([(source, CARDS[source].obtain) for source in wanted], ("SOURCE", "FROM"))


def _row(name: str, lacking: tuple[str, ...], cards: Mapping[str, Any]) -> dict[str, Any]:
    from covaudit.domain.presets import PRESETS
    from covaudit.domain.setups import SETUPS

    preset, setup = PRESETS[name], SETUPS.get(name)
    return {
        "name": name,
        "task": preset.task.name,
        "network": preset.network,
        "title": preset.name,
        "folds": preset.n_folds,
        "missing": {source: cards[source].obtain for source in lacking},
        "printed": setup
        and {one.name: {"sources": one.sources, "n": one.n, "sizes": one.sizes} for one in setup.classes},
        "reported": setup and setup.reported,
        "remarks": setup.remarks if setup else (),
    }


@app.command("show")
def show_preset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a preset.")], as_json: AsJson = False
) -> None:
    """Print a preset as YAML, its sources by their names here, to be saved, changed and run."""
    from covaudit.domain.presets import PRESETS, fit
    from covaudit.store import sources

    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    preset = fit(PRESETS[name], sources.listing(open_store()))
    if as_json:
        print_json(preset.model_dump(mode="json"))
        return
    typer.echo(plain(preset.to_yaml()), nl=False)
