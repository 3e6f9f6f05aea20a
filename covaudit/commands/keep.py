"""python -m covaudit backup, restore"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from covaudit.commands.base import AsJson, plain, print_json, print_table

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


def _list(found: "list[Backup]", as_json: bool) -> None:
    if as_json:
        print_json([{"path": str(b.path), "made": b.made.isoformat(), "why": b.why} for b in found])
    elif found:
        rows = [(b.path.name, f"{b.made:%Y-%m-%d %H:%M} UTC", b.why, f"{b.path.stat().st_size:,}") for b in found]
        print_table(rows, ("BACKUP", "MADE", "WHY", "BYTES"))
    else:
        typer.echo("No backups yet. Make one: python -m covaudit backup")
