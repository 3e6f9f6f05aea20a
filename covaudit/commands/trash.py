"""python -m covaudit delete, trash ..."""

from typing import Annotated

import typer

from covaudit.commands.base import AsJson, RunId, build_app, open_store, plain, print_json, print_table

app = build_app("Deleted runs, kept for 30 days.")


def delete_run(run_id: RunId) -> None:
    """Move a finished run with its files to the trash, where it stays for 30 days."""
    from covaudit.jobs import submit
    from covaudit.store import runs

    store = open_store()
    run = runs.get(store, run_id)
    submit.remove(store, run.id)
    typer.echo(f"Run {run.id} is in the trash. Bring it back: python -m covaudit trash restore {run.id}")


@app.command("list")
def list_trash(as_json: AsJson = False) -> None:
    """List what is in the trash, the last deleted first."""
    from covaudit.store import trash

    found = trash.listing(open_store())
    if as_json:
        print_json(
            [one._asdict() | {"deleted": one.deleted.isoformat(), "until": one.until.isoformat()} for one in found]
        )
    elif found:
        rows = [
            (one.run_id, one.state, f"{one.until:%Y-%m-%d}", f"{one.n_bytes / 1e6:.1f} MB", one.title) for one in found
        ]
        print_table(rows, ("RUN", "STATE", "KEPT UNTIL", "SIZE", "NAME"))
    else:
        typer.echo("The trash is empty.")


@app.command("restore")
def restore_run(run_id: RunId) -> None:
    """Bring a deleted run back with its files."""
    from covaudit.store import trash

    typer.echo(f"Run {trash.restore(open_store(), run_id)} is back.")


@app.command("empty")
def empty_trash(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete for good all that is in the trash."""
    from covaudit.store import trash

    store = open_store()
    n = len(trash.listing(store))
    if n and not yes and not typer.confirm(f"Delete {n} run(s) for good?", default=False):
        raise typer.Exit(1)
    gone = trash.empty(store)
    if as_json:
        print_json({"deleted": [one.run_id for one in gone]})
    else:
        typer.echo(plain(f"{len(gone)} run(s) deleted for good."))
