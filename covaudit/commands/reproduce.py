"""python -m covaudit reproduce RUN"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import FAILED, AsJson, RunId, open_store, plain, print_json
from covaudit.errors import JobFailed

if TYPE_CHECKING:
    from covaudit.domain.run import Run
    from covaudit.store import Store


def reproduce(
    run_id: RunId,
    check: Annotated[bool, typer.Option("--check", help="Only look whether the images are what they were.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Run it even if images are missing or changed.")] = False,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="Compare with this run of the same; train nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do a run again and compare. Exit code 0: the same weights, predictions and metrics; 1: something differs."""
    from covaudit.store import runs

    store = open_store()
    run = runs.get(store, run_id)
    if against is not None:
        _tell(_compare(store, run, runs.get(store, against)), as_json)
        return
    sources = _look(store, run, as_json and check)
    if check or not (sources.is_same or anyway):
        if not check and not as_json:
            typer.echo("Nothing was run. To run it all the same: --anyway", err=True)
        raise typer.Exit(0 if sources.is_same else FAILED)
    _tell(_compare(store, run, _run_again(store, run)), as_json)


def _look(store: "Store", run: "Run", as_json: bool) -> Any:
    from covaudit.jobs.source_check import check_sources

    found = check_sources(store, run)
    if as_json:
        print_json(found.model_dump(mode="json") | {"is_same": found.is_same})
        return found
    for sentence in found.words():
        typer.echo(plain(sentence), err=True)
    if found.is_same:
        typer.echo(f"All {found.n} images are what they were.", err=True)
    return found


def _run_again(store: "Store", run: "Run") -> "Run":
    from covaudit.commands.progress import wait_for
    from covaudit.domain.run import RunState
    from covaudit.jobs import reproduce as jobs

    again = jobs.repeat(store, run)
    try:
        found = wait_for(store, {again: again})[again]
    except KeyboardInterrupt:
        typer.echo(f"\nStopped waiting; run {again} goes on. Compare later with --against {again}", err=True)
        raise typer.Exit(130) from None
    if found.state is not RunState.DONE:
        raise JobFailed(f"The repetition {again} is {found.state}. {found.reason or ''}".strip())
    return found


def _compare(store: "Store", first: "Run", second: "Run") -> Any:
    from covaudit.jobs.reproduce import compare

    return compare(store, first, second)


def _tell(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found.model_dump(mode="json") | {"is_same": found.is_same, "intended_use": INTENDED_USE})
    else:
        typer.echo(f"Run {found.first} against {found.second}")
        for sentence in found.words():
            typer.echo(plain(sentence))
    if not found.is_same:
        raise typer.Exit(FAILED)
