"""How a source took and stored its images, and by what it can be told from the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from covaudit.domain.finding import AuditFinding, Severity
from covaudit.sources.health.material import Material
from covaudit.sources.health.report import Fingerprint

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_APART = 0.88
"""Probability that an image of one source lies beyond one of another, from which on a fact tells them apart."""
_UNLIKE = 0.6
_NEARLY_ALL, _FEW = 0.9, 0.25


class Fact(NamedTuple):
    """A number of every image: its name, its unit, the words for less and more of it, and how to write it."""

    title: str
    unit: str
    less: str
    more: str
    digits: int


FACTS: Mapping[str, Fact] = {
    "side": Fact("Longer side", "pixels", "smaller", "larger", 0),
    "aspect": Fact("Width / height", "", "taller", "wider", 2),
    "density": Fact("Bytes per pixel", "", "more compressed", "less compressed", 2),
    "brightness": Fact("Brightness", "mean grey", "darker", "brighter", 2),
    "contrast": Fact("Contrast", "SD of grey", "flatter", "richer in contrast", 2),
    "sharpness": Fact("Sharpness", "SD of Laplacian", "smoother", "sharper", 1),
    "border": Fact("Black border", "share of area", "less black border", "more black border", 2),
}


def fingerprints(material: Material) -> list[Fingerprint]:
    """One for each source, the one most unlike the others first."""
    facts = _facts(material.table)
    found = [_fingerprint(name, facts) for name in material.indexes if (facts["source"] == name).any()]
    return sorted(found, key=lambda one: -one.unlikeness)


def tell_apart(prints: Sequence[Fingerprint]) -> Iterator[AuditFinding]:
    """A finding for each source that is unlike the others."""
    for one in prints:
        if len(prints) > 1 and (one.unlikeness >= _UNLIKE or len(one.reasons) > 1):
            yield AuditFinding(
                check="fingerprint",
                severity=Severity.WARNING,
                title=f"{one.source} is unlike the other sources: {', '.join(one.reasons[:3]) or 'in most facts'}",
                detail=f"{'; '.join(one.reasons) or 'No single fact tells it apart, all together do'}. A class that "
                "comes from this source alone can be told by these facts, without looking at any lung.",
                evidence={"unlikeness": one.unlikeness, "kinds": dict(one.kinds), "median": _medians(one)},
            )


def _facts(table: pd.DataFrame) -> pd.DataFrame:
    """Columns source, kind, size and `FACTS`; facts that are unknown (of phantoms not yet drawn) are NaN."""
    sides = table[["width", "height"]]
    colour = np.where(table["channels"] > 1, "colour", "grey")
    depth = table["bit_depth"].astype(str)
    return pd.DataFrame(
        {
            "source": table["source"],
            "kind": table["format"] + ", " + depth + " bit, " + colour,
            "size": table["width"].astype(str) + " × " + table["height"].astype(str),
            "side": sides.max(axis=1).astype(float),
            "aspect": table["width"] / table["height"],
            "density": (table["bytes"] / (table["width"] * table["height"])).replace(0.0, np.nan),
            **{name: table[name] for name in ("brightness", "contrast", "sharpness", "border")},
        }
    )


def _fingerprint(name: str, facts: pd.DataFrame) -> Fingerprint:
    own = facts[facts["source"] == name]
    others = [rows for other, rows in facts.groupby("source", sort=True) if other != name]
    apart = {fact: _apart(own[fact], [rows[fact] for rows in others]) for fact in FACTS}
    kinds = {str(kind): float(share) for kind, share in own["kind"].value_counts(normalize=True).items()}
    known = [abs(2 * value - 1) for value in apart.values() if not np.isnan(value)]
    return Fingerprint(
        source=name,
        n=len(own),
        spread={fact: tuple(own[fact].quantile(list(QUANTILES))) for fact in FACTS if own[fact].notna().any()},
        kinds=kinds,
        unlikeness=float(np.mean(known)) if known else 0.0,
        reasons=_all_reasons(own, others, apart, kinds) if others else (),
    )


def _all_reasons(
    own: pd.DataFrame, others: Sequence[pd.DataFrame], apart: Mapping[str, float], kinds: Mapping[str, float]
) -> tuple[str, ...]:
    return (*_size_reasons(own, others), *_reasons(own, others, apart), *_kind_reasons(kinds, others))


def _apart(own: pd.Series, others: Sequence[pd.Series]) -> float:
    """Probability that an image of this source has more of a fact than one of the others, each source alike."""
    mine = own.dropna().to_numpy()
    areas = [_exceeds(mine, theirs) for theirs in (other.dropna().to_numpy() for other in others) if len(theirs)]
    return float(np.mean(areas)) if areas and len(mine) else float("nan")


def _exceeds(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Mann and Whitney's U over all pairs; ties count half."""
    ranks = rankdata(np.concatenate([mine, theirs]))[: len(mine)]
    return float((ranks.mean() - (len(mine) + 1) / 2) / len(theirs))


def _reasons(own: pd.DataFrame, others: Sequence[pd.DataFrame], apart: Mapping[str, float]) -> Iterator[str]:
    """Facts that tell nearly every image of the source from nearly every other, the clearest first."""
    for fact in sorted(apart, key=lambda name: -abs(apart[name] - 0.5)):
        value = apart[fact]
        if value <= 1 - _APART or value >= _APART:
            said, words = FACTS[fact], FACTS[fact].more if value > 0.5 else FACTS[fact].less
            medians = [float(rows[fact].median()) for rows in others if rows[fact].notna().any()]
            yield (
                f"{words} ({said.title.lower()} {own[fact].median():,.{said.digits}f}; "
                f"others {min(medians):,.{said.digits}f} to {max(medians):,.{said.digits}f})"
            )


def _kind_reasons(kinds: Mapping[str, float], others: Sequence[pd.DataFrame]) -> Iterator[str]:
    kind, share = next(iter(kinds.items()))
    elsewhere = float(np.mean([(rows["kind"] == kind).mean() for rows in others]))
    if share >= _NEARLY_ALL and elsewhere <= _FEW:
        yield f"{kind} ({100 * share:.0f} % of its files; others {100 * elsewhere:.0f} %)"


def _size_reasons(own: pd.DataFrame, others: Sequence[pd.DataFrame]) -> Iterator[str]:
    """One size that nearly all its images have and few of the others."""
    counts = own["size"].value_counts(normalize=True)
    elsewhere = float(np.mean([(rows["size"] == counts.index[0]).mean() for rows in others]))
    if counts.iloc[0] >= _NEARLY_ALL and elsewhere <= _FEW:
        every = "every image is" if counts.iloc[0] == 1 else f"{100 * counts.iloc[0]:.0f} % of the images are"
        yield f"{every} {counts.index[0]} pixels (others {100 * elsewhere:.0f} %)"


def _medians(one: Fingerprint) -> dict[str, float]:
    return {FACTS[name].title: values[2] for name, values in one.spread.items()}
