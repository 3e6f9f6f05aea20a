"""python -m covaudit demo"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import FAILED, AsJson, estimate_text, plain, print_json, print_table

if TYPE_CHECKING:
    from covaudit.domain.experiment import Experiment
    from covaudit.store import Store

_SEED_MAX = 2**31 - 1


def demo(
    workspace: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to keep it; else the workspace.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=_SEED_MAX, help="Another seed than the presets'.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the demo to its end. One network with and one without a planted shortcut, on made-up radiographs."""
    from covaudit.commands.progress import wait_for
    from covaudit.domain.presets import PRESETS
    from covaudit.domain.run import RunState
    from covaudit.settings import Settings
    from covaudit.store import Store, results

    begun = time.monotonic()
    chosen = {"COVAUDIT_WORKSPACE": str(workspace)} if workspace else {}
    store = Store.open(Settings.from_env(os.environ | chosen))
    wanted = {name: _queue(store, PRESETS[f"demo-{name}"], seed) for name in ("single", "balanced")}
    try:
        finished = wait_for(store, wanted)
    except KeyboardInterrupt:
        typer.echo("\nStopped waiting; the demo goes on in its worker.", err=True)
        raise typer.Exit(130) from None
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        print_json({name: results.show(store, run.id) for name, run in finished.items()} | {"seconds": seconds})
    else:
        _tell(store, finished, seconds)
    broken = [run for run in finished.values() if run.state is not RunState.DONE]
    for run in broken:
        typer.echo(plain(f"Run {run.id} is {run.state}. {run.reason or ''}"), err=True)
    if broken:
        raise typer.Exit(FAILED)


def _queue(store: "Store", preset: "Experiment", seed: int | None) -> str:
    from covaudit.domain.run import RunState
    from covaudit.jobs import submit
    from covaudit.store import runs

    experiment = preset if seed is None else preset.model_copy(update={"seed": seed})
    run_id = submit.submit(store, experiment, demo=True).run_id
    if runs.get(store, run_id).state in (RunState.FAILED, RunState.CANCELLED):
        submit.retry(store, run_id)
    return run_id


def _tell(store: "Store", finished: dict[str, Any], seconds: float) -> None:
    from covaudit.commands.show import show_findings
    from covaudit.store import results

    rows = []
    for name, run in finished.items():
        found = {
            item.split: item
            for item in results.estimates(store, run.id)
            if item.metric == "balanced_accuracy" and item.is_overall
        }
        rows.append((name, run.id, *(estimate_text(found.get(split)) for split in ("internal", "external", "gap"))))
    typer.echo("Balanced accuracy with 95 % intervals")
    print_table(rows, ("", "RUN", "INTERNAL TEST", "EXTERNAL TEST", "GAP"))
    for name, run in finished.items():
        typer.echo(plain(f"\n{name.capitalize()}: {run.name}"), nl=False)
        show_findings(results.findings(store, run.id))
    typer.echo(f"\n{seconds:.0f} s. {INTENDED_USE}")
