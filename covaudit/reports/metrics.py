"""Every overall metric of a split with its interval, its n, and how it was made or why it is undefined."""

from collections.abc import Sequence

from covaudit.domain.estimate import Estimate
from covaudit.figures.text import DASH, METRICS, SPLITS, TOO_FEW
from covaudit.reports.table import Row, Table
from covaudit.reports.tables import OVERALL, find
from covaudit.reports.text import bounds, score


def metric_table(estimates: Sequence[Estimate], split: str) -> Table:
    """One row a metric."""
    there = {one.metric for one in estimates if one.is_overall}
    rows = [_row(METRICS[metric], find(estimates, split, metric)) for metric in OVERALL if metric in there]
    measured = [row for row in rows if row is not None]
    return Table(SPLITS[split], ("Metric", "Value", "95 % interval", "n", "How, or why not"), tuple(measured))


def _row(title: str, one: Estimate) -> Row | None:
    if not one.method:
        return None
    if not one.is_defined:
        return Row((title, DASH, DASH, f"{one.n:,}", one.method.removeprefix("undefined: ")), one.n < TOO_FEW)
    return Row((title, score(one.value), bounds(one), f"{one.n:,}", one.method), one.n < TOO_FEW)
