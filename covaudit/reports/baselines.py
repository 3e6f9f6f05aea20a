"""What answers the images without having learnt the disease, beside the network."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from covaudit.domain.baselines import BASELINES, LEAD
from covaudit.domain.estimate import Estimate
from covaudit.figures.text import DASH, METRICS, SPLITS, share
from covaudit.reports.tables import TESTS, find
from covaudit.reports.text import interval, score

CONSTANT = 0.98
"""A network that gives the same answer to more than this share of the images is a constant predictor."""


class Words(NamedTuple):
    """A sentence, and whether it is bad news for the network."""

    text: str
    is_alarm: bool


def metric_of(estimates: Sequence[Estimate]) -> str:
    """What network and baselines are compared by: balanced accuracy, or the exact match of label sets."""
    return (
        "exact_match" if any(one.metric == "exact_match" and one.baseline for one in estimates) else "balanced_accuracy"
    )


def words(estimates: Sequence[Estimate], split: str) -> list[Words]:
    """What the baselines say of one test. Our own words only, fit for Markdown."""
    metric, found = metric_of(estimates), []
    same = find(estimates, split, "same_answer_share")
    if same.is_defined and same.value > CONSTANT:
        found.append(Words(f"**A constant predictor**: {share(same.value)} of the images get the same answer.", True))
    unbeaten = []
    for name, title in BASELINES.items():
        lead = find(estimates, split, LEAD + metric, baseline=name)
        if lead.is_defined and not lead.low > 0:
            unbeaten.append(
                f"{title.lower()} ({score(lead.value)}, 95 % interval {score(lead.low)} to {score(lead.high)})"
            )
    if unbeaten:
        found.append(
            Words(f"**Does not beat**, by {METRICS[metric].lower()} on the same images: {'; '.join(unbeaten)}.", True)
        )
    elif any(one.baseline and one.split == split for one in estimates):
        found.append(Words("The network beats every baseline by more than chance.", False))
    return found


def frame(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """One row the network and one each baseline; empty for a run that was measured before there were baselines."""
    metric = metric_of(estimates)
    if not any(one.baseline for one in estimates):
        return pd.DataFrame()
    network = {SPLITS[s]: interval(find(estimates, s, metric)) for s in TESTS}
    rows = [{"What answers": "The network"} | network | {_lead(s): "" for s in TESTS}]
    for name, title in BASELINES.items():
        own = {SPLITS[s]: interval(find(estimates, s, metric, baseline=name)) for s in TESTS}
        leads = {_lead(s): interval(find(estimates, s, LEAD + metric, baseline=name)) for s in TESTS}
        rows.append({"What answers": title} | own | leads)
    return pd.DataFrame(rows).replace("", DASH)


def _lead(split: str) -> str:
    return f"Network's lead, {split}"
