"""What a run found: rows for the numbers, files for the images. Written last and whole, read without torch."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, insert, select, update

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.errors import BadState
from covaudit.store import artifacts, folds, integrity, runs, schema
from covaudit.store.database import Store
from covaudit.store.files import (
    Shown,
    class_maps,
    film_of,
    folder,
    heatmaps,
    network_facts,
    pixels,
    predictions,
    regions,
    samples,
    sanity,
    shown,
    test_film,
)

__all__ = [
    "Outcome", "Shown", "class_maps", "confusions", "estimates", "film_of", "findings", "folder", "heatmaps",
    "network_facts", "pixels", "predictions", "regions", "samples", "sanity", "show", "shown", "summaries", "summary",
    "test_film", "write_fold", "write_outcome",
]  # fmt: skip

_ESTIMATE = (
    "split", "source", "class_name", "group", "baseline", "fold", "metric", "value", "low", "high", "n", "method",
)  # fmt: skip
_FINER = ("group", "baseline", "fold")
_COLUMN = {"group": "group_name"}
"""Fields whose column has another name: `group` is a word of SQL."""


@dataclass(frozen=True)
class Outcome:
    """All that a run has to say. `summary` is small plain JSON for lists."""

    estimates: list[Estimate] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    findings: list[AuditFinding] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


def write_outcome(store: Store, run_id: str, attempt: int, outcome: Outcome, files: Sequence[Path]) -> None:
    """Write the results, the hashes of the files and the state DONE in one transaction, from a run's last job.

    Raises `BadState` when the attempt is not the running one: it was cancelled, or another has taken its place.
    """
    hashed = [_artifact(store, run_id, attempt, path) for path in files]
    with store.engine.begin() as connection:
        _complete(connection, run_id, attempt, folds.last_job(connection, run_id))
        values = {"summary": to_json(outcome.summary)}
        connection.execute(update(schema.run).where(schema.run.c.id == run_id).values(**values))
        _insert(connection, schema.estimate, [_estimate_row(run_id, item) for item in outcome.estimates])
        _insert(connection, schema.confusion, [_confusion_row(run_id, item) for item in outcome.confusions])
        _insert(connection, schema.finding, [_finding_row(run_id, item) for item in outcome.findings])
        _insert(connection, schema.artifact, hashed)
        integrity.seal(connection, run_id)


def write_fold(store: Store, run_id: str, attempt: int, fold: int) -> None:
    """Write that one fold of several is done; the last job takes its files. Raises `BadState` like the above."""
    with store.engine.begin() as connection:
        _complete(connection, run_id, attempt, fold)


def _complete(connection: Connection, run_id: str, attempt: int, fold: int) -> None:
    if not folds.complete(connection, run_id, attempt, fold):
        raise BadState(f"Attempt {attempt} of run {run_id} is not running any more; its results were not kept.")


# -- numbers ----------------------------------------------------------------------------------------------------------


def estimates(store: Store, run_id: str) -> list[Estimate]:
    """The run's estimates in the order they were written; empty before the run is done."""
    return [_to_estimate(row) for row in _rows(store, schema.estimate, run_id)]


def confusions(store: Store, run_id: str) -> list[Confusion]:
    """The run's confusion matrices."""
    return [_to_confusion(row) for row in _rows(store, schema.confusion, run_id)]


def findings(store: Store, run_id: str) -> list[AuditFinding]:
    """The run's audit findings, the gravest first."""
    found = [_to_finding(row) for row in _rows(store, schema.finding, run_id)]
    return sorted(found, key=lambda finding: finding.severity.rank)


def summary(store: Store, run_id: str) -> dict[str, Any]:
    """The run's summary; empty before the run is done."""
    return summaries(store, [run_id]).get(run_id, {})


def summaries(store: Store, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The summaries of several runs by their ids."""
    t = schema.run.c
    with store.engine.connect() as connection:
        rows = connection.execute(select(t.id, t.summary, t.digests).where(t.id.in_(run_ids))).all()
    for row in rows:
        integrity.check(row.id, row.digests, "summary", integrity.digest([{"summary": row.summary}]))
    return {row.id: json.loads(row.summary) for row in rows}


def show(store: Store, run_id: str) -> dict[str, Any]:
    """A run as plain JSON: run_id, state, experiment, estimates, confusion and findings; undefined numbers are null.

    `estimates` are the network's own, by split, source and class; `breakdown` has those of groups, baselines and single
    folds, told apart by three more keys.
    """
    run = runs.get(store, run_id)
    shown: dict[str, Any] = {"run_id": run.id, "state": run.state.value}
    shown["experiment"] = run.experiment.model_dump(mode="json")
    found = estimates(store, run.id)
    shown["estimates"] = [_without(_plain_estimate(item), _FINER) for item in found if not _is_finer(item)]
    shown["confusion"] = [item.model_dump(mode="json") for item in confusions(store, run.id)]
    shown["findings"] = [item.model_dump(mode="json") for item in findings(store, run.id)]
    shown["breakdown"] = [_plain_estimate(item) for item in found if _is_finer(item)]
    return shown


# -- rows -------------------------------------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """JSON in which every number that is not finite is null, as PostgreSQL and browsers want it."""
    return json.dumps(finite(value), ensure_ascii=False)


def finite(value: Any) -> Any:
    """Plain JSON with None for every number that is not finite."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _rows(store: Store, table: Table, run_id: str) -> list[dict[str, Any]]:
    with store.engine.connect() as connection:
        return integrity.read_rows(connection, table, run_id)


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _estimate_row(run_id: str, item: Estimate) -> dict[str, Any]:
    row = {_COLUMN.get(name, name): getattr(item, name) for name in _ESTIMATE}
    # SQLite keeps NaN as NULL, PostgreSQL as NaN; both get NULL.
    return {"run_id": run_id} | {name: None if _is_nan(value) else value for name, value in row.items()}


def _to_estimate(row: Any) -> Estimate:
    numbers = {name: nan if row[name] is None else row[name] for name in ("value", "low", "high")}
    return Estimate(**({name: row[_COLUMN.get(name, name)] for name in _ESTIMATE} | numbers))


def _to_confusion(row: Any) -> Confusion:
    return Confusion(split=row["split"], classes=json.loads(row["classes"]), counts=json.loads(row["counts"]))


def _to_finding(row: Any) -> AuditFinding:
    plain = {name: row[name] for name in ("check", "title", "detail")}
    return AuditFinding(**plain, severity=Severity(row["severity"]), evidence=json.loads(row["evidence"]))


BUILDERS: Final[Mapping[Table, Callable[[Any], object]]] = {
    schema.estimate: _to_estimate, schema.confusion: _to_confusion, schema.finding: _to_finding,
}  # fmt: skip
"""What makes an object of a row, by table; a row that makes none is a ValueError, TypeError or KeyError."""


def _plain_estimate(item: Estimate) -> dict[str, Any]:
    row = {"class" if name == "class_name" else name: getattr(item, name) for name in _ESTIMATE}
    return {name: None if _is_nan(value) else value for name, value in row.items()}


def _is_finer(item: Estimate) -> bool:
    return any(getattr(item, name) is not None for name in _FINER)


def _without(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and isnan(value)


def _confusion_row(run_id: str, item: Confusion) -> dict[str, Any]:
    tables = {"classes": json.dumps(item.classes), "counts": json.dumps(item.counts)}
    return {"run_id": run_id, "split": item.split, **tables}


def _finding_row(run_id: str, item: AuditFinding) -> dict[str, Any]:
    row = {"check": item.check, "severity": item.severity.value, "title": item.title, "detail": item.detail}
    return {"run_id": run_id, **row, "evidence": to_json(item.model_dump(mode="json")["evidence"])}


def _artifact(store: Store, run_id: str, attempt: int, path: Path) -> dict[str, Any]:
    relative = path.absolute().relative_to(store.workspace.absolute()).as_posix()
    measured = {"path": relative, "sha256": artifacts.sha256_of(artifacts.need(path)), "bytes": path.stat().st_size}
    return {"run_id": run_id, "attempt": attempt, **measured}
