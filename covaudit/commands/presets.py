"""python -m covaudit presets ..."""

from typing import Annotated

import typer

from covaudit.commands.base import AsJson, build_app, print_json, print_table
from covaudit.errors import UnknownName

app = build_app("Experiments to start from.")


@app.command("list")
def list_presets(as_json: AsJson = False) -> None:
    """List the presets."""
    from covaudit.domain.presets import PRESETS

    rows = [(name, preset.task.name, preset.network, preset.name) for name, preset in PRESETS.items()]
    header = ("NAME", "TASK", "NETWORK", "TITLE")
    if as_json:
        print_json([dict(zip(("name", "task", "network", "title"), row, strict=True)) for row in rows])
        return
    print_table(rows, header)


@app.command("show")
def show_preset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a preset.")], as_json: AsJson = False
) -> None:
    """Print a preset as YAML, to be saved, changed and run."""
    from covaudit.domain.presets import PRESETS

    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    if as_json:
        print_json(PRESETS[name].model_dump(mode="json"))
        return
    typer.echo(PRESETS[name].to_yaml(), nl=False)
