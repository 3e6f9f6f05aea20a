"""What can be told of an image without looking at it: its label and its source, from the file's metadata alone."""

from collections.abc import Iterator
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.labels import TITLES, is_a
from covaudit.metrics.delong import auroc_area, delong_interval
from covaudit.metrics.intervals import UNDEFINED, wilson
from covaudit.sources.groups import group_images
from covaudit.sources.health.material import Material

SEEN = "size, aspect, bytes per pixel, format, bit depth, channels, brightness"
_FOLDS = 5
_MOST = 20_000
"""Of more images than that a random part is looked at: the interval is narrow by then."""
_STRONG, _WEAK = 0.9, 0.7

Floats = NDArray[np.float64]


def predictable(material: Material, seed: int = 0) -> list[Estimate]:
    """AUROC of every label within its source and in all sources together, of CVP against NCV, and of every source.

    Cross-validated: gradient-boosted trees see `SEEN` of four fifths of the patients and answer for the others. The
    interval is DeLong's for clusters, the clusters being patients and families of duplicates.
    """
    table = material.table.dropna(subset=["brightness"])
    if len(table) > _MOST:
        table = table.sample(_MOST, random_state=seed)
    groups = pd.Series(group_images(table), index=table.index)
    found: list[Estimate] = []
    scopes: list[tuple[str | None, pd.DataFrame]] = [(None, table), *table.groupby("source", sort=True)]
    for scope, rows in scopes:
        if scope is None and table["source"].nunique() == 1:
            continue
        for name, is_one in _questions(rows):
            found.append(_ask("label", name, scope, rows, is_one, groups[rows.index], seed))
    if table["source"].nunique() > 1:
        found += [
            _ask("source", name, None, table, (table["source"] == name).to_numpy(), groups, seed)
            for name in sorted(table["source"].unique())
        ]
    return found


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


def _questions(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each label against all others; where there are just two, one question is enough."""
    labels = sorted(rows["label"].unique())
    if len(labels) < 2:
        return
    is_covid = rows["label"].eq("CVP").to_numpy()
    is_other = rows["label"].map(lambda label: is_a(str(label), "NCV")).to_numpy()
    if is_covid.any() and (is_covid | is_other).all():
        yield "CVP", is_covid
        labels.remove("CVP")
    if len(labels) > 1 or not is_covid.any():
        for name in labels[1:] if len(labels) == 2 and not is_covid.any() else labels:
            yield name, rows["label"].eq(name).to_numpy()


def _ask(
    metric: str, name: str, scope: str | None, rows: pd.DataFrame, is_one: NDArray[np.bool_], groups: pd.Series,
    seed: int,
) -> Estimate:  # fmt: skip
    about = {"split": "all", "metric": metric, "class_name": name, "source": scope, "n": len(rows)}
    cluster = np.unique(groups.to_numpy(), return_inverse=True)[1].astype(np.intp)
    n_clusters = min(len(np.unique(cluster[is_one])), len(np.unique(cluster[~is_one])))
    if n_clusters < 2 * _FOLDS:
        why = f"undefined: fewer than {2 * _FOLDS} patients on one side"
        return Estimate.model_validate(about | {"value": nan, "method": why})
    area = auroc_area(_answers(features(rows), is_one, cluster, seed), is_one, cluster)
    if area is None:
        return Estimate.model_validate(about | {"value": nan, "method": "undefined: one patient has all of a class"})
    interval = delong_interval(area, is_clustered=True) or wilson(area.value, n_clusters) or UNDEFINED
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


def _answers(seen: Floats, is_one: NDArray[np.bool_], cluster: NDArray[np.intp], seed: int) -> Floats:
    """Out-of-fold probabilities (N,); constant features give the same answer to all of a fold."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros(len(seen))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for learnt, asked in folds.split(seen, is_one, cluster):
        if is_one[learnt].all() or not is_one[learnt].any():
            found[asked] = 0.5
            continue
        model = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, learning_rate=0.15, min_samples_leaf=10, early_stopping=False,
            class_weight="balanced", random_state=seed,
        )  # fmt: skip
        found[asked] = model.fit(seen[learnt], is_one[learnt]).predict_proba(seen[asked])[:, 1]
    return found


def title_of(estimate: Estimate) -> str:
    """'CVP, COVID-19 pneumonia · mgc' for a row of a figure."""
    name = str(estimate.class_name)
    meaning = f", {TITLES[name]}" if estimate.metric == "label" and name in TITLES else ""
    return f"{name}{meaning} · {estimate.source or 'all sources'}"
