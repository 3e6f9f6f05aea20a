"""python -m covaudit sanity RUN"""

from typing import Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, open_store, plain, print_json, print_table
from covaudit.commands.health import progress_of
from covaudit.domain.explanation import METHOD_CARDS
from covaudit.errors import UnknownName


def sanity(
    run_id: RunId,
    method: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"May be repeated; else all: {', '.join(METHOD_CARDS)}.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the twin; else the run's, at most 5.")] = None,
    twin: Annotated[bool, typer.Option("--twin/--no-twin", help="Train the label-shuffled twin.")] = True,
    as_json: AsJson = False,
) -> None:
    """Put the ways of explaining to the test on a run's network: do maps change when it forgets, or learns shuffled
    labels? The twin costs about as much as the run's training. Ctrl-C ends it."""
    for name in method or ():
        if name not in METHOD_CARDS:
            raise UnknownName("method", name, METHOD_CARDS)
    from covaudit.jobs.twin import check_methods

    try:
        found = check_methods(
            open_store(),
            run_id,
            list(dict.fromkeys(method or METHOD_CARDS)),
            epochs,
            twin,
            progress_of("twin", "steps"),
        )
    except KeyboardInterrupt:
        typer.echo("\nEnded. Nothing was kept.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(found | {"intended_use": INTENDED_USE})
        return
    rows = [(METHOD_CARDS[name].title, *_cells(one)) for name, one in found["methods"].items()]
    print_table(rows, ("METHOD", "FORGETTING", "SHUFFLED LABELS", ""))
    told = found["twin"]
    if told:
        share = f"{100 * told['accuracy_on_shuffled_labels']:.0f} %"
        typer.echo(f"\nThe twin was trained for {told['epochs']} epochs and knows {share} of its shuffled labels.")
    typer.echo("Rank correlation of maps with the run's own, 95 % interval, images; 1 is the same map.")
    typer.echo(f"\n{INTENDED_USE}")


def _cells(one: dict[str, Any]) -> tuple[str, str, str]:
    if one["refused"]:
        return "–", "–", plain(one["refused"])
    parts = [one[name] for name in ("cascade", "twin")]
    fails = any(part is not None and part["fails"] for part in parts)
    passes = all(part is None or part["passes"] for part in parts)
    verdict = "blind to what was learnt" if fails else "passes" if passes else "too few maps"
    return _likeness(parts[0]), _likeness(parts[1]), verdict


def _likeness(part: dict[str, Any] | None) -> str:
    return "–" if part is None else f"{part['value']:.2f} [{part['low']:.2f}, {part['high']:.2f}] n={part['n']}"
