"""Read the results of one run, or of several side by side."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, estimate_text, open_store, plain, print_json, print_table
from covaudit.commands.pairs import paired_with_first, show_paired
from covaudit.errors import CovauditError

if TYPE_CHECKING:
    from covaudit.domain.run import Run


def show_run(run_id: RunId, as_json: AsJson = False) -> None:
    """Show the results of a run."""
    from covaudit.store import results, runs

    store = open_store()
    if as_json:
        print_json(results.show(store, run_id))
        return
    run = runs.get(store, run_id)
    show_head(run)
    _show_estimates(results.estimates(store, run.id))
    for table in results.confusions(store, run.id):
        typer.echo(f"\nConfusion, {table.split} (rows: truth, columns: prediction)")
        counts = [(name, *row) for name, row in zip(table.classes, table.counts, strict=True)]
        print_table(counts, ("", *table.classes))
    show_findings(results.findings(store, run.id))
    typer.echo(f"\n{INTENDED_USE}")


def show_findings(findings: list[Any]) -> None:
    """The audit findings, the gravest first."""
    if findings:
        typer.echo("\nAudit findings")
    for finding in findings:
        typer.echo(plain(f"  {finding.severity.value.upper():8}  {finding.title}\n            {finding.detail}"))


def compare_runs(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    as_json: AsJson = False,
) -> None:
    """Put runs side by side. Shows what was asked differently, and the metrics with their intervals."""
    from covaudit.domain.compare import differences, side_by_side
    from covaudit.store import results, runs

    if len(run_ids) < 2:
        raise CovauditError("One run came. Give two or more to compare.")
    store = open_store()
    compared = [runs.get(store, run_id) for run_id in run_ids]
    changed = differences([run.experiment for run in compared])
    metrics = side_by_side([results.estimates(store, run.id) for run in compared], overall=not as_json)
    pairs = paired_with_first(store, compared)
    if as_json:
        plain_metrics = [row._asdict() | {"estimates": _plain_estimates(row.estimates)} for row in metrics]
        for row in plain_metrics:
            row["class"] = row.pop("class_name")
        print_json(
            {
                "runs": [plain_run(run) for run in compared],
                "differences": [row._asdict() for row in changed],
                "metrics": plain_metrics,
                "paired": pairs,
            }
        )
        return
    print_table([(run.id, state_text(run), run.name) for run in compared], ("RUN", "STATE", "NAME"))
    typer.echo("\nAsked differently" if changed else "\nAsked the same, but for names and notes.")
    if changed:
        absent = "–"
        header = ("KEY", *(run.id for run in compared))
        print_table([(row.key, *(absent if v is None else v for v in row.values)) for row in changed], header)
    if metrics:
        typer.echo("\nMetrics of all sources and classes together, with 95 % intervals")
        header = ("SPLIT", "METRIC", *(run.id for run in compared))
        print_table([(row.split, row.metric, *map(estimate_text, row.estimates)) for row in metrics], header)
    show_paired(pairs)
    typer.echo(f"\n{INTENDED_USE}")


def show_head(run: "Run") -> None:
    """What a run is and how it ended."""
    from covaudit.domain.protocols import how_trained

    typer.echo(plain(f"Run {run.id}, attempt {run.attempt}: {state_text(run)}\n{run.name}"))
    if run.reason:
        typer.echo(plain(run.reason))
    seconds = (run.finished - run.started).total_seconds() if run.finished and run.started else None
    if seconds is not None:
        typer.echo(f"{seconds:.0f} s on {run.device}, network {run.experiment.network}, seed {run.experiment.seed}")
    typer.echo(plain(how_trained(run.experiment.training)))
    if run.experiment.acknowledged:
        typer.echo(plain(f"Leakage was accepted in writing: {run.experiment.acknowledged}"))


def _show_estimates(estimates: list[Any]) -> None:
    splits = list(dict.fromkeys(item.split for item in estimates))
    for title, field in (
        ("All classes", None),
        ("By class", "class_name"),
        ("By source", "source"),
        ("By group", "group"),
        ("Baselines", "baseline"),
    ):
        rows = [item for item in estimates if item.narrowed_by == ((field,) if field else ())]
        table: dict[tuple[str, str], dict[str, Any]] = {}
        for item in rows:
            table.setdefault((getattr(item, field) if field else "", item.metric), {})[item.split] = item
        if table:
            typer.echo(f"\n{title}, with 95 % intervals")
            cells = [(*key, *(estimate_text(found.get(split)) for split in splits)) for key, found in table.items()]
            print_table(cells, ("", "METRIC", *splits))


def state_text(run: "Run") -> str:
    """The state, and whether a running run has fallen silent."""
    return f"{run.state} (no sign of life)" if run.is_stale(datetime.now(UTC)) else run.state.value


def plain_run(run: "Run") -> dict[str, Any]:
    """A run as plain JSON, without its experiment."""
    shown = run.model_dump(mode="json", exclude={"asked"})
    return {"run_id": shown.pop("id"), "name": run.name, **shown}


def _plain_estimates(estimates: tuple[Any, ...]) -> list[dict[str, Any] | None]:
    kept = {"value", "low", "high", "n", "method"}
    return [None if item is None else item.model_dump(include=kept) for item in estimates]
