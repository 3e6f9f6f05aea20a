"""What can be told of an image without looking at it: its label and its source, from the file's metadata alone."""

from collections.abc import Iterator
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.labels import TITLES
from covaudit.metrics.delong import auroc_area, delong_interval
from covaudit.metrics.intervals import wilson
from covaudit.sources.groups import group_images
from covaudit.sources.health.material import Material

SEEN = "size, aspect, bytes per pixel, format, bit depth, channels, brightness"
_FOLDS = 5
_MOST = 10_000
"""Of more images than that a random part is looked at: the interval is narrow by then."""
_STRONG, _WEAK = 0.9, 0.7

Floats = NDArray[np.float64]


def predictable(material: Material, seed: int = 0) -> list[Estimate]:
    """AUROC of each label against the rest, within its source and in all sources together, and of each source.

    Cross-validated: randomised trees (Geurts et al. 2006) see `SEEN` of four fifths of the patients and answer for the
    others. The interval is DeLong's for clusters, the clusters being patients and families of duplicates.
    """
    table = material.table.dropna(subset=["brightness"])
    if len(table) > _MOST:
        table = table.sample(_MOST, random_state=seed)
    if table.empty:
        return []
    groups = pd.Series(group_images(table), index=table.index)
    is_one_source = table["source"].nunique() == 1
    scopes: list[tuple[str | None, pd.DataFrame]] = [] if is_one_source else [(None, table)]
    scopes += [(str(name), rows) for name, rows in table.groupby("source", sort=True)]
    found: list[Estimate] = []
    for scope, rows in scopes:
        found += _ask("label", scope, rows, groups, seed)
    return found if is_one_source else [*found, *_ask("source", None, table, groups, seed)]


def tell(estimates: list[Estimate]) -> Iterator[AuditFinding]:
    """A finding for each label that metadata tell, and one for the sources."""
    for one in estimates:
        if one.metric != "label" or not one.is_defined:
            continue
        place = f"source {one.source}" if one.source else "these sources together"
        severity = (
            Severity.CRITICAL if one.low > _STRONG else Severity.WARNING if one.low > _WEAK else Severity.NOTE
        )  # fmt: skip
        if one.low <= 0.5:
            severity = Severity.CLEAR
        yield AuditFinding(
            check="metadata",
            severity=severity,
            title=f"Metadata alone tell {one.class_name} from the rest in {place}: AUROC {one.value:.2f}",
            detail=f"95 % interval {one.low:.2f} to {one.high:.2f}, {one.n:,} images, grouped by patient. Seen: "
            f"{SEEN}. A network that does no better than this may have learnt nothing of the disease.",
            evidence=one.model_dump(by_alias=True),
        )


def _ask(metric: str, scope: str | None, rows: pd.DataFrame, groups: pd.Series, seed: int) -> list[Estimate]:
    """One AUROC for each label or source that the rows have; of two labels one is enough."""
    names = sorted(rows[metric].unique())
    if len(names) < 2:
        return []
    cluster = np.unique(groups[rows.index].to_numpy(), return_inverse=True)[1].astype(np.intp)
    truth = np.searchsorted(names, rows[metric].to_numpy())
    chance = _answers(features(rows), truth, cluster, seed)
    shown = ["CVP"] if len(names) == 2 and "CVP" in names else names[1:] if len(names) == 2 else names
    return [
        _estimate(metric, name, scope, chance[:, names.index(name)], truth == names.index(name), cluster)
        for name in shown
    ]


def _estimate(
    metric: str, name: str, scope: str | None, chance: Floats, is_one: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> Estimate:
    about = {"split": "all", "metric": metric, "class_name": name, "source": scope, "n": len(chance)}
    n_clusters = min(len(np.unique(cluster[is_one])), len(np.unique(cluster[~is_one])))
    area = auroc_area(chance, is_one, cluster) if n_clusters >= 2 * _FOLDS else None
    if area is None:
        why = f"undefined: fewer than {2 * _FOLDS} patients on one side"
        return Estimate.model_validate(about | {"value": nan, "method": why})
    interval = delong_interval(area, is_clustered=True) or wilson(area.value, n_clusters, "wilson on patients")
    method = f"{_FOLDS}-fold cross-validation, {interval.method}"
    bounds = {"value": area.value, "low": interval.low, "high": interval.high, "method": method}
    return Estimate.model_validate(about | bounds)


def features(rows: pd.DataFrame) -> Floats:
    """(N, F) of `SEEN`; formats are numbered, which trees can split."""
    area = rows["width"] * rows["height"]
    columns = [
        rows["width"], rows["height"], rows["width"] / rows["height"], rows["bytes"] / area, rows["bit_depth"],
        rows["channels"], rows["brightness"], pd.Series(pd.factorize(rows["format"], sort=True)[0], index=rows.index),
    ]  # fmt: skip
    return np.column_stack([column.astype(float) for column in columns])


def _answers(seen: Floats, truth: NDArray[np.intp], cluster: NDArray[np.intp], seed: int) -> Floats:
    """Out-of-fold probabilities (N, K) of the classes that `truth` (N,) numbers from 0."""
    from sklearn.ensemble import ExtraTreesClassifier

    found = np.zeros((len(seen), int(truth.max()) + 1))
    fold = _deal(truth, cluster, np.random.default_rng(seed))[cluster]
    for number in range(_FOLDS):
        learnt, asked = fold != number, fold == number
        if asked.any() and learnt.any():
            model = ExtraTreesClassifier(
                40, max_depth=8, min_samples_leaf=5, class_weight="balanced", random_state=seed
            )
            model.fit(seen[learnt], truth[learnt])
            found[np.ix_(asked, model.classes_)] = model.predict_proba(seen[asked])
    return found


def _deal(truth: NDArray[np.intp], cluster: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """The fold of each cluster: dealt round like cards, class by class, so that every fold has some of each."""
    n = int(cluster.max()) + 1
    of_cluster = np.zeros(n, np.intp)
    of_cluster[cluster] = truth
    shuffled = rng.permutation(n)
    fold = np.empty(n, np.intp)
    fold[shuffled[np.argsort(of_cluster[shuffled], kind="stable")]] = np.arange(n) % _FOLDS
    return fold


def title_of(estimate: Estimate) -> str:
    """'CVP, COVID-19 pneumonia · mgc' for a row of a figure."""
    name = str(estimate.class_name)
    meaning = f", {TITLES[name]}" if estimate.metric == "label" and name in TITLES else ""
    return f"{name}{meaning} · {estimate.source or 'all sources'}"
