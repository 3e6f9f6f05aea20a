"""Queue, watch, stop and read runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from covaudit.commands.base import FAILED, AsJson, RunId, open_store, plain, print_json, print_table
from covaudit.commands.show import plain_run, show_findings, show_head, state_text
from covaudit.errors import BadExperiment, Leaks, MissingArtifact, NoWeights, clip

if TYPE_CHECKING:
    from covaudit.domain.experiment import Experiment
    from covaudit.domain.run import Run
    from covaudit.store import Store

_FILE_LIMIT = 1_000_000
_CANCEL_WAIT_S = 10.0

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the run is finished, with a line on how far it is.")]


Priority = Annotated[int, typer.Option(metavar="N", help="From -100 to 100; the highest goes first.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, such as training.pretrained=none; repeatable."),
]


def run_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="An experiment, as 'presets show' prints one.")],
    changes: Changes = None,
    priority: Priority = 0,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue an experiment; images of its sources that are new are looked at before.

    The same experiment again gives the run that it has.
    """
    from covaudit.domain.change import with_values

    experiment = with_values(_read(file), changes or ())
    queue(open_store(), experiment, priority, wait, as_json)


def queue(store: "Store", experiment: "Experiment", priority: int, wait: bool, as_json: bool) -> None:
    """Submit an experiment, and print its run's id, or wait for its end. Errors name the option that cures them."""
    from covaudit.commands.health import progress_of
    from covaudit.jobs import scans, submit

    for source in submit.unseen(store, experiment):
        scans.scan(store, source, progress_of(source.name))
        submit.forget_indexes()
    try:
        run_id, created = submit.submit(store, experiment, priority=priority)
    except NoWeights as error:
        raise NoWeights(f"{error} On the command line: --set training.pretrained=none") from error
    except Leaks as error:
        raise Leaks(f"{error} On the command line: --set acknowledged='why'") from error
    if not created:
        typer.echo(f"This experiment has a run already: {run_id}. Again: python -m covaudit retry {run_id}", err=True)
    if wait:
        _wait(store, run_id, as_json)
    elif as_json:
        from covaudit.store import runs

        print_json({"run_id": run_id, "created": created, "state": runs.get(store, run_id).state.value})
    else:
        typer.echo(run_id)


def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    from covaudit.store import runs

    found = runs.listing(open_store(), limit=limit)
    if as_json:
        print_json([plain_run(run) for run in found])
    elif found:
        rows = [(run.id, state_text(run), run.attempt, f"{run.created:%Y-%m-%d %H:%M} UTC", run.name) for run in found]
        print_table(rows, ("RUN", "STATE", "ATTEMPT", "CREATED", "NAME"))
    else:
        typer.echo("No runs yet. Begin with: python -m covaudit demo")


def show_log(
    run_id: RunId,
    attempt: Annotated[int | None, typer.Option(min=1, help="An earlier attempt; the present one if left out.")] = None,
    fold: Annotated[
        int | None, typer.Option(min=1, help="A fold, from 1; of a run with one fold, leave it out.")
    ] = None,
    tail: Annotated[int | None, typer.Option(min=1, help="Only the last lines, this many.")] = None,
) -> None:
    """Print the log of a run, or of one of its folds."""
    from covaudit.domain.run import GATHER
    from covaudit.store import artifacts, runs

    store = open_store()
    run = runs.get(store, run_id)
    number, n_folds = attempt or run.attempt, run.experiment.n_folds
    folder = artifacts.fold_folder(store, run.id, number, GATHER if fold is None else fold - 1, n_folds)
    try:
        text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        cure = f" It has {n_folds} folds with a log each: add --fold 1." if n_folds > 1 and fold is None else ""
        raise MissingArtifact(f"Run {run.id} has no log of attempt {number}; it may not have started.{cure}") from error
    lines = text.splitlines()
    for line in lines[-tail:] if tail else lines:
        typer.echo(plain(line))


def cancel_run(run_id: RunId) -> None:
    """Stop a run that waits or runs."""
    from covaudit.jobs import submit
    from covaudit.store import runs

    store = open_store()
    run = submit.cancel(store, run_id)
    until = time.monotonic() + _CANCEL_WAIT_S
    while not run.state.is_finished and time.monotonic() < until:
        time.sleep(0.2)
        run = runs.get(store, run.id)
    typer.echo(f"Run {run.id} is {run.state}.")


def prioritise_run(
    run_id: RunId,
    priority: Annotated[int, typer.Argument(metavar="N", help="From -100 to 100; the highest goes first.")],
) -> None:
    """Move a run in the queue. Of equal priority, the run that has it longer goes first."""
    from covaudit.jobs import submit

    store = open_store()
    run = submit.prioritise(store, run_id, priority)
    position = submit.queue_position(store, run.id)
    place = f" It is number {position} in the queue." if position else ""
    typer.echo(f"Run {run.id} is {run.state}, with priority {run.priority}.{place}")


def retry_run(
    run_id: RunId,
    from_start: Annotated[bool, typer.Option("--from-start", help="Use no checkpoint and no finished fold.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue a finished run again. It becomes a new attempt; the files of earlier attempts stay.

    A run that failed or was cancelled goes on from its last checkpoint; one that is done begins anew.
    """
    from covaudit.jobs import submit

    store = open_store()
    _follow(store, submit.retry(store, run_id, from_start), wait, as_json)


def resume_run(run_id: RunId, wait: Wait = False, as_json: AsJson = False) -> None:
    """Go on with a run that failed or was cancelled, from its last checkpoint."""
    from covaudit.jobs import submit

    store = open_store()
    _follow(store, submit.resume(store, run_id), wait, as_json)


def _follow(store: "Store", run: "Run", wait: bool, as_json: bool) -> None:
    if wait:
        _wait(store, run.id, as_json)
    elif as_json:
        print_json(plain_run(run))
    else:
        typer.echo(f"Run {run.id} is {run.state}.")


def _read(file: Path) -> "Experiment":
    from covaudit.domain.experiment import Experiment

    try:
        if file.stat().st_size > _FILE_LIMIT:
            raise BadExperiment(
                f"{clip(file)} has {file.stat().st_size} bytes; an experiment has at most {_FILE_LIMIT}."
            )
        return Experiment.from_yaml(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadExperiment(f"{clip(file)} is not text in UTF-8. Give an experiment written in YAML.") from error
    except OSError as error:
        raise BadExperiment(f"{clip(file)} cannot be read ({error.strerror}). Give the path of a YAML file.") from error


def _wait(store: "Store", run_id: str, as_json: bool) -> None:
    from covaudit.commands.progress import wait_for
    from covaudit.domain.run import RunState
    from covaudit.store import results

    try:
        run = wait_for(store, {run_id: run_id})[run_id]
    except KeyboardInterrupt:
        typer.echo(f"\nStopped waiting; run {run_id} goes on. Stop it: python -m covaudit cancel {run_id}", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(results.show(store, run_id))
    else:
        show_head(run)
        show_findings(results.findings(store, run_id))
    if run.state is not RunState.DONE:
        typer.echo(plain(run.reason or f"Run {run_id} is {run.state}."), err=True)
        raise typer.Exit(FAILED)
