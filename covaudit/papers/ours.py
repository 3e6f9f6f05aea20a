"""Our own runs of the papers' setups, to stand beside the printed numbers."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from covaudit.domain.estimate import Estimate, Place
from covaudit.papers import printed

_PAPER_TWO = re.compile(r"\b(?:paper 2|coronahack)\b.*?\b(?:experiment\s+)?([abc])\b", re.IGNORECASE)


class Asked(NamedTuple):
    """A setup as printed: the test that the number rests on, and what is printed of it."""

    setup: str
    split: str
    n: int
    metric: str
    printed: str


def setup_of(name: str) -> str | None:
    """The setup that a run's name tells: 'CXR-Single-CL2' in it, or 'Paper 2, experiment B'; None for no setup."""
    plain = name.casefold().replace("_", "-")
    found = [setup.name for setup in printed.setups() if setup.name.casefold() in plain]
    if found:
        return max(found, key=len)
    letter = _PAPER_TWO.search(name)
    return f"Paper 2, experiment {letter.group(1).upper()}" if letter else None


def asked() -> list[Asked]:
    """Every setup of both papers; of paper 2 the best network of each experiment."""
    found = []
    for setup in printed.setups():
        split = "internal" if setup.is_cross_validated else "external"
        value = setup.printed["accuracy"]
        text = f"{value[0]:.3f}" if value[1] is None else f"{value[0]:.3f} ± {value[1]:.3f}"
        found.append(Asked(setup.name, split, setup.n_test, "accuracy", text))
    for experiment in "ABC":
        rows = [row for row in printed.rows("paper2", "overall") if row["experiment"] == experiment]
        best = max(rows, key=lambda row: float(row["exact_match_accuracy"][0]))
        value, half = (part / 100 for part in best["exact_match_accuracy"])
        name = f"Paper 2, experiment {experiment}"
        text = f"{value:.3f} ± {half:.3f}, {best['network']}"
        found.append(Asked(name, "internal", printed.support(experiment), "exact_match", text))
    return found


def our_estimate(estimates: Sequence[Estimate], question: Asked) -> Estimate | None:
    """The number of a run that answers the question; of the internal test where the run has no external one."""
    for split in dict.fromkeys((question.split, "internal")):
        for one in estimates:
            if one.place == Place(split, question.metric) and one.n:
                return one
    return None
