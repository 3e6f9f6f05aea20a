"""python -m covaudit backup, restore, export, import"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, open_store, plain, print_json, print_table

if TYPE_CHECKING:
    from covaudit.store.backup import Backup


def backup(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A file to write; else one in the workspace's backups.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the backups of the workspace instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database while app and workers go on. The files of runs are not in it; copy the folder runs as well."""
    from covaudit.settings import Settings
    from covaudit.store import backup as backups

    settings = Settings.from_env()
    if show:
        _list(backups.listing(settings.workspace), as_json)
        return
    made = backups.back_up(settings, path)
    if as_json:
        print_json({"path": str(made), "bytes": made.stat().st_size})
    else:
        typer.echo(plain(f"Backup written: {made} ({made.stat().st_size / 1e6:.1f} MB)"))


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or the name of one that --list shows.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, when no worker lives. What it replaces is kept."""
    from covaudit.jobs import upkeep
    from covaudit.settings import Settings

    kept = upkeep.restore(Settings.from_env(), path)
    if as_json:
        print_json({"restored": str(path), "kept": None if kept is None else str(kept)})
        return
    typer.echo(plain(f"Restored {path}. " + (f"What it replaced is kept: {kept}" if kept else "Nothing was there.")))
    typer.echo("If the app is open, start it again.")


def export(
    run_id: RunId,
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="The zip to write; else covaudit-RUN.zip here.")
    ] = None,
    pixels: Annotated[bool, typer.Option("--pixels/--no-pixels", help="With the images that the network saw.")] = True,
    weights: Annotated[bool, typer.Option("--weights/--no-weights", help="With the trained network.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write a finished run to a zip with the hash of every file; 'import' takes it in elsewhere."""
    from covaudit.store import bundle

    made = bundle.export(open_store(), run_id, path, pixels, weights)
    if as_json:
        print_json({"path": str(made), "bytes": made.stat().st_size})
    else:
        typer.echo(plain(f"Exported: {made} ({made.stat().st_size / 1e6:.1f} MB)\n{INTENDED_USE}"))


def import_run(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A zip that 'export' wrote.")], as_json: AsJson = False
) -> None:
    """Take in a run that was exported elsewhere. Its images need not be here."""
    from covaudit.store import unbundle

    run_id = unbundle.take_in(open_store(), path)
    if as_json:
        print_json({"run_id": run_id})
    else:
        typer.echo(f"Imported. See it: python -m covaudit show {run_id}")


def _list(found: "list[Backup]", as_json: bool) -> None:
    if as_json:
        print_json([{"path": str(b.path), "made": b.made.isoformat(), "why": b.why} for b in found])
    elif found:
        rows = [(b.path.name, f"{b.made:%Y-%m-%d %H:%M} UTC", b.why, f"{b.path.stat().st_size:,}") for b in found]
        print_table(rows, ("BACKUP", "MADE", "WHY", "BYTES"))
    else:
        typer.echo("No backups yet. Make one: python -m covaudit backup")
