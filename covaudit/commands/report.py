"""python -m covaudit report"""

from pathlib import Path
from typing import Annotated

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, open_store, plain, print_json
from covaudit.errors import CovauditError, clip


def report(
    run_id: RunId,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="The file to write; else covaudit-RUN.html here.")
    ] = None,
    images: Annotated[bool, typer.Option("--images/--no-images", help="With a few of the run's test images.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write what a run was asked and found as one HTML file, to read, print or send."""
    from covaudit.files import write_whole
    from covaudit.reports.html import render
    from covaudit.store import runs

    store = open_store()
    run = runs.get(store, run_id)
    target = out or Path(f"covaudit-{run.id}.html")
    if target.exists():
        raise CovauditError(f"There is a file {clip(target)} already. Give another name.")
    data = render(store, run.id, images).encode("utf-8", "replace")
    try:
        write_whole(target, data)
    except OSError as error:
        raise CovauditError(f"The file {clip(target)} cannot be written ({error.strerror}). Give another.") from error
    if as_json:
        print_json({"path": str(target), "bytes": len(data)})
    else:
        typer.echo(plain(f"Report written: {target} ({len(data) / 1e6:.1f} MB)\n{INTENDED_USE}"))
