"""Sentences of the papers that rest on few images, with the intervals that the sizes of the tests allow."""

from math import sqrt
from typing import NamedTuple

from scipy.stats import norm

from covaudit.metrics.intervals import Interval, square_and_add, wilson
from covaudit.papers import printed


class Claim(NamedTuple):
    """What is said, the numbers behind it with their 95 % intervals, and whether the test carries it."""

    paper: str
    said: str
    numbers: str
    is_carried: bool
    verdict: str


def claims() -> list[Claim]:
    """Each from the printed values and the sizes of the test sets."""
    return [
        *(_best(column, setup) for column, setup in (("cxr", "CXR-Independent-CL2"), ("ct", "CT-Independent-CL2"))),
        _drop("CXR-Multiple-CL2", "CXR-Independent-CL2"),
        _drop("CT-Multiple-CL2", "CT-Independent-CL2"),
        *(_best_of_experiment(experiment) for experiment in "ABC"),
        _all_found(),
        _eleven_of_twelve(),
    ]


def _best(column: str, setup: str) -> Claim:
    table = {row["network"]: row[column][2] for row in printed.rows("paper1", "table5")}
    own = table.pop("CVR-Net")
    other = max(table, key=lambda name: table[name])
    (n,) = [one.n_test for one in printed.setups() if one.name == setup]
    return _against("1", f"CVR-Net performs best on {setup} (Table 5)", "CVR-Net", own, other, table[other], n)


def _best_of_experiment(experiment: str) -> Claim:
    rows = [row for row in printed.rows("paper2", "overall") if row["experiment"] == experiment]
    first, second = sorted(rows, key=lambda row: -row["exact_match_accuracy"][0])[:2]
    values = [row["exact_match_accuracy"][0] / 100 for row in (first, second)]
    said = (
        f"{first['network']} has the best exact match of experiment {experiment} ({printed.TABLE_OVERALL[experiment]})"
    )
    return _against("2", said, first["network"], values[0], second["network"], values[1], printed.support(experiment))


def _against(paper: str, said: str, name: str, own: float, other: str, value: float, n: int) -> Claim:
    found = square_and_add(own - value, [(1, own, wilson(own, n)), (-1, value, wilson(value, n))], "")
    pooled = (own + value) / 2
    p = float(2 * norm.sf(abs(own - value) / sqrt(2 * pooled * (1 - pooled) / n)))
    numbers = (
        f"{_share(own, n)} against {_share(value, n)} of {other}: difference {_points(own - value, found)}, p = {p:.2f}"
    )
    carried = found.low > 0
    verdict = "" if carried else (
        "The interval of the difference holds 0. Unpaired, for the answers to single images are not published; "
        "a paired test could tell more."
    )  # fmt: skip
    return Claim(paper, said, numbers, carried, verdict or f"{name} is ahead by more than chance.")


def _drop(inside: str, outside: str) -> Claim:
    known = {one.name: one for one in printed.setups()}
    one, other = known[inside], known[outside]
    values = [float(setup.printed["accuracy"][0] or 0) for setup in (one, other)]
    parts = [(1.0, values[0], wilson(values[0], one.n_test)), (-1.0, values[1], wilson(values[1], other.n_test))]
    found = square_and_add(values[0] - values[1], parts, "")
    numbers = (
        f"{_share(values[0], one.n_test)} falls to {_share(values[1], other.n_test)}: "
        f"a gap of {_points(values[0] - values[1], found)}"
    )
    caution = "Far more than chance; yet class and source are tied in the independent test too."
    if inside.startswith("CT"):
        caution = "Far more than chance, if the counts are right: those printed are copied from CXR-Multiple-CL2."
    return Claim("1", f"Performance falls from {inside} to {outside}", numbers, found.low > 0, caution)


def _all_found() -> Claim:
    n = printed.support("A", "COVID")
    numbers = f"printed 100 % ± 0, from {n} images: {_share(1.0, n)}"
    return Claim(
        "2", "Every COVID-19 image of experiment A is found", numbers, False,
        f"{n} images cannot show it: a network that misses one in five would find all {n} every 15th time.",
    )  # fmt: skip


def _eleven_of_twelve() -> Claim:
    n = printed.support("A", "COVID")
    numbers = f"printed 91.67 % ± 4.51 of 144 copies; as {n} films: {_share((n - 1) / n, n)}"
    return Claim(
        "2", "All models of experiment C find COVID-19 equally well", numbers, False,
        "The 144 images are twelve copies each of twelve films. 132 of 144 is one film missed in all its copies, as "
        "the published answers of DenseNet-121 show: the number is eleven of twelve.",
    )  # fmt: skip


def _share(value: float, n: int) -> str:
    found = wilson(value, n)
    return f"{100 * value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}] (n {n:,})"


def _points(value: float, interval: Interval) -> str:
    numbers = f"{100 * value:+.1f} points [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return numbers.replace("-", "−")
