"""python -m covaudit protocols ..."""

from typing import Annotated

import typer
import yaml

from covaudit.commands.base import AsJson, build_app, print_json, print_table
from covaudit.errors import UnknownName

app = build_app("Training protocols: ours and both papers'.")


@app.command("list")
def list_protocols(as_json: AsJson = False) -> None:
    """List the protocols."""
    from covaudit.domain.protocols import PROTOCOLS

    if as_json:
        print_json([{"name": protocol.name, "title": protocol.title} for protocol in PROTOCOLS.values()])
        return
    print_table([(protocol.name, protocol.title) for protocol in PROTOCOLS.values()], ("NAME", "TITLE"))


@app.command("show")
def show_protocol(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a protocol.")], as_json: AsJson = False
) -> None:
    """Print the fields of a protocol as the YAML of an experiment, and where paper, code and this program part."""
    from covaudit.domain.protocols import PROTOCOLS

    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, PROTOCOLS)
    protocol = PROTOCOLS[name]
    split = {"method": protocol.split, "folds": protocol.folds, **protocol.shares}
    if as_json:
        training = protocol.training.model_dump(mode="json")
        print_json({"training": training, "split": split, "differences": list(protocol.differences)})
        return
    for sentence in protocol.differences:
        typer.echo(f"# {sentence}")
    typer.echo(yaml.safe_dump({"training": protocol.training.to_plain(), "split": split}, sort_keys=False), nl=False)
