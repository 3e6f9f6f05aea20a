"""python -m covaudit maps RUN FILE"""

from pathlib import Path
from typing import Annotated

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, open_store, plain, print_json
from covaudit.errors import CovauditError, clip


def maps(
    run_id: RunId,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the heat maps of a run to a zip: overlays as PNG, all maps as a NumPy array, and a table of the images."""
    from covaudit.jobs.maps import write_maps
    from covaudit.store import results, runs
    from covaudit.store.artifacts import writing_whole

    store = open_store()
    run = runs.get(store, run_id)
    table = results.predictions(store, run)
    if path.exists():
        raise CovauditError(f"There is a file {clip(path)} already. Give another name.")
    try:
        with writing_whole(path) as file:
            n = write_maps(store, run, table, file)
    except OSError as error:
        raise CovauditError(f"The file {clip(path)} cannot be written ({error.strerror}). Give another.") from error
    if as_json:
        print_json({"path": str(path), "maps": n, "bytes": path.stat().st_size, "intended_use": INTENDED_USE})
    else:
        typer.echo(plain(f"{n:,} heat maps: {path} ({path.stat().st_size / 1e6:.1f} MB)\n{INTENDED_USE}"))
