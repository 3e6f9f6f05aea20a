"""Heat maps of a few test images, chosen by a rule and not by eye."""

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from covaudit.domain.run import Run
from covaudit.explain.overlay import overlay, png, reduce
from covaudit.figures.text import SPLITS, share
from covaudit.reports.tables import TESTS
from covaudit.reports.text import literal
from covaudit.store import Store, results

_SIDE = 192
_ALPHA = 0.55
_RANKS = {"Most heat outside the lungs": 0.0, "Half have more": 0.5, "Least heat outside the lungs": 1.0}
_RANKS_WITHOUT_LUNGS = {"Most certain answer": 0.0, "Half are more certain": 0.5, "Least certain answer": 1.0}


class Example(NamedTuple):
    """A test image and its heat map as `data:` addresses, why it was chosen, and what the network made of it."""

    why: str
    words: str
    image: str
    heat: str


class Examples(NamedTuple):
    """`rule` says how they were chosen; none where no test image has a heat map."""

    rule: str
    found: list[Example]


def choose_examples(store: Store, run: Run) -> Examples:
    """The first, the middle and the last of each test by the share of heat outside the lungs; by certainty where no
    lungs are known. Raises `MissingArtifact`."""
    table = results.predictions(store, run)
    table = table[(table["heatmap_row"] >= 0) & table["split"].isin(TESTS)]
    has_lungs = bool(table["outside_lungs"].notna().any())
    chosen: list[Example] = []
    for split in TESTS:
        rows = _ranked(table[table["split"] == split], run.experiment.task.classes, has_lungs)
        ranks = _RANKS if has_lungs else _RANKS_WITHOUT_LUNGS
        places = dict.fromkeys(round(rank * (len(rows) - 1)) for rank in ranks.values()) if len(rows) else {}
        for place, why in zip(places, ranks, strict=False):
            chosen.append(_draw(store, run, rows.iloc[[place]], f"{SPLITS[split]}: {why[0].lower()}{why[1:]}"))
    by = "the share of its heat outside the lungs" if has_lungs else "how certain the answer is"
    return Examples(f"Of each test the first, the middle and the last image by {by}; nobody chose them by eye.", chosen)


def _ranked(rows: pd.DataFrame, classes: Sequence[str], has_lungs: bool) -> pd.DataFrame:
    certainty = rows[[f"p_{name}" for name in classes]].max(axis=1)
    order = rows["outside_lungs"].dropna() if has_lungs else certainty
    return rows.loc[order.sort_values(ascending=False, kind="stable").index]


def _draw(store: Store, run: Run, rows: pd.DataFrame, why: str) -> Example:
    shown, row = results.shown(store, run, rows)[0], rows.iloc[0]
    seen = reduce(np.asarray(shown.pixels), _SIDE)
    drawn = seen if shown.heatmap is None else overlay(seen, np.asarray(shown.heatmap), _ALPHA)
    outside = "" if pd.isna(row["outside_lungs"]) else f", {share(row['outside_lungs'])} of the heat outside the lungs"
    words = (
        f"{literal(row['image_id'], 40)} of {literal(row['source'], 40)}: truth {literal(row['class_name'], 40)}, "
        f"answer {literal(row['predicted'], 40)}{outside}"
    )
    return Example(why, words, _address(png(seen)), _address(png(drawn)))


def _address(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"
