"""Do a run again, and say whether the same came out: weights, predictions, metrics; and if not, what was different."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from covaudit.domain.estimate import Estimate
from covaudit.domain.run import Run, RunState
from covaudit.errors import BadState, clip
from covaudit.jobs import submit
from covaudit.store import Store, results, runs, schema

if TYPE_CHECKING:
    import pandas as pd

_FROZEN = ConfigDict(frozen=True)
_NAMED = 10
_IMAGE = ["source", "image_id"]
_ROUNDING = 1e-12  # sums over threads come in any order; seen: 3e-16 between runs with the same weights


class Comparison(BaseModel):
    """A run against its repetition. Differences of probabilities and metrics are the largest ones."""

    model_config = _FROZEN

    first: str
    second: str
    weights: dict[str, bool]
    """Whether the hash is the same, by file of weights."""
    n_predictions: int
    unmatched: int
    prediction_difference: float | None
    n_metrics: int
    metrics_differing: int
    metric_difference: float | None
    differences: tuple[str, ...]
    """What was not the same around the runs: device, packages, code, images."""

    @property
    def is_same(self) -> bool:
        """Weights to the bit, predictions and metrics to the last digit."""
        same = all(self.weights.values()) and not self.unmatched and not self.metrics_differing
        return same and not self.prediction_difference

    def words(self) -> Iterator[str]:
        """What is the same and what is not, a sentence each."""
        if self.is_same:
            yield f"Reproduced: the same weights, {self.n_predictions} predictions and {self.n_metrics} metrics."
        else:
            n_same = sum(self.weights.values())
            yield f"Not the same. Weights: {n_same} of {len(self.weights)} files have the same hash."
            yield _difference("Predictions", self.n_predictions, self.prediction_difference, "probability")
            if self.unmatched:
                yield f"{self.unmatched} predictions have no counterpart: other images were tested."
            yield f"Metrics: {self.metrics_differing} of {self.n_metrics} differ" + (
                "." if self.metric_difference is None else f", by {self.metric_difference:.3g} at most."
            )
        if self.differences:
            yield "Around them: " + "; ".join(self.differences) + "."
        elif not self.is_same:
            yield "Code, packages, device and images are said to be the same."


def repeat(store: Store, run: Run) -> str:
    """Queue the same experiment as a run of its own that names the first; returns its id.

    A repetition that has ended is done once more, as a further attempt. Raises `BadState` for a run that is not done.
    """
    if run.state is not RunState.DONE:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that is done can be reproduced.")
    name = f"{run.name[:70]} (repeat)"
    experiment = run.experiment.model_copy(update={"name": name, "repeat_of": run.id})
    run_id, created = submit.submit(store, experiment)
    if not created and runs.get(store, run_id).state.is_finished:
        submit.retry(store, run_id)
    return run_id


def compare(store: Store, first: Run, second: Run) -> Comparison:
    """Hold two runs of the same experiment against each other. Raises `BadState`, `MissingArtifact`."""
    for run in (first, second):
        if run.state is not RunState.DONE:
            raise BadState(f"Run {run.id} is {run.state}; there is nothing to compare. {run.reason or ''}".strip())
    weights = [_weights(store, run) for run in (first, second)]
    before, after = (results.predictions(store, run) for run in (first, second))
    unmatched, largest = _compare_predictions(before, after)
    pairs, alone = _pair(*(results.estimates(store, run.id) for run in (first, second)))
    gaps = [gap for one, other in pairs for gap in _gaps(one, other)]
    return Comparison(
        first=first.id, second=second.id,
        weights={name: weights[1].get(name) == digest for name, digest in weights[0].items()},
        n_predictions=len(before), unmatched=unmatched, prediction_difference=largest,
        n_metrics=len(pairs) + alone,
        metrics_differing=alone + sum(any(_gaps(one, other)) for one, other in pairs),
        metric_difference=max(gaps, default=None),
        differences=tuple(_differences(*(results.summary(store, run.id) for run in (first, second)))),
    )  # fmt: skip


def _weights(store: Store, run: Run) -> dict[str, str]:
    """The hash of each file of weights, by its name in the run's folder."""
    a = schema.artifact.c
    with store.engine.connect() as connection:
        rows = connection.execute(select(a.path, a.sha256).where(a.run_id == run.id)).all()
    prefix = f"runs/{run.id}/{run.attempt}/"
    return {path.removeprefix(prefix): digest for path, digest in rows if path.endswith(".safetensors")}


def _compare_predictions(before: "pd.DataFrame", after: "pd.DataFrame") -> tuple[int, float | None]:
    """How many rows have no counterpart, and the largest difference of a probability."""
    key = [name for name in (*_IMAGE, "split", "fold") if name in before.columns and name in after.columns]
    columns = [name for name in before.columns if name.startswith("p_") and name in after.columns]
    both = before[key + columns].merge(after[key + columns], on=key, how="outer", indicator=True, suffixes=("", "_2"))
    matched = both[both["_merge"] == "both"]
    if matched.empty or not columns:
        return len(both), None
    gaps = [(matched[name].astype(float) - matched[f"{name}_2"].astype(float)).abs().max() for name in columns]
    return len(both) - len(matched), float(max(gaps))


def _pair(before: Sequence[Estimate], after: Sequence[Estimate]) -> tuple[list[tuple[Estimate, Estimate]], int]:
    """Estimates of the same place, and how many have no counterpart."""
    there = {one.place: one for one in after}
    pairs = [(one, there[one.place]) for one in before if one.place in there]
    return pairs, len(before) + len(after) - 2 * len(pairs)


def _gaps(one: Estimate, other: Estimate) -> list[float]:
    """The differences of value and interval that can be printed; a NaN equals a NaN and differs from a number by 1."""
    pairs = ((one.value, other.value), (one.low, other.low), (one.high, other.high))
    found = [1.0 if isnan(a) != isnan(b) else 0.0 if isnan(a) else abs(a - b) for a, b in pairs]
    return [gap for gap in [*found, float(one.n != other.n)] if gap > _ROUNDING]


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What the provenance of two runs says otherwise, in words."""
    if before.get("samples_sha256") != after.get("samples_sha256"):
        yield "the images are not the same"
    for name in ("covaudit", "python", "device", "number_format", "threads", "initialisation"):
        yield from _changed(name.replace("_", " "), before.get(name), after.get(name))
    if before.get("weights") != after.get("weights"):
        yield "the weights that training began with are not the same files"
    for group in ("machine", "determinism"):
        then, now = before.get(group) or {}, after.get(group) or {}
        for name in sorted({*then, *now}):
            yield from _changed(name.replace("_", " "), then.get(name), now.get(name))
    yield from _changed_packages(before.get("packages") or {}, after.get("packages") or {})
    then, now = before.get("code") or {}, after.get("code") or {}
    if then.get("sha256") != now.get("sha256"):
        commits = [str(one.get("commit") or "no commit")[:10] for one in (then, now)]
        yield f"the code is not the same ({commits[0]} then, {commits[1]} now)"
    if now.get("is_dirty"):
        yield "the code has changes that are in no commit"


def _changed(name: str, then: Any, now: Any) -> Iterator[str]:
    if then != now:
        yield f"{name}: {clip(then)} then, {clip(now)} now"


def _changed_packages(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    odd = [name for name in then if then[name] != now.get(name)]
    if odd:
        shown = [f"{name} {then[name]} -> {now.get(name, 'absent')}" for name in odd[:_NAMED]]
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        yield f"packages: {', '.join(shown)}{more}"


def _difference(what: str, n: int, largest: float | None, unit: str) -> str:
    if largest is None:
        return f"{what}: none could be compared."
    return f"{what}: {n}, the largest difference of a {unit} is {largest:.3g}."
