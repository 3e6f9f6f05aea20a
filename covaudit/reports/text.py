"""Words and digits of all that is read: pages, reports and commands write an estimate by the same functions."""

from math import isnan

from covaudit.domain.estimate import Estimate
from covaudit.domain.labels import TITLES
from covaudit.figures.text import DASH
from covaudit.figures.text import number as score

__all__ = ["bounds", "class_title", "count", "interval", "literal", "score"]


def literal(text: object, limit: int = 80) -> str:
    """A user's string on one line, clipped, with control, bidirectional and invisible characters spelled out."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def class_title(name: str) -> str:
    """'CVP (COVID-19 pneumonia)' where the class is one of the papers', else the name; literal text."""
    return f"{name} ({TITLES[name]})" if name in TITLES else literal(name)


def bounds(estimate: Estimate) -> str:
    """'[0.88, 0.96]', or words where there is no interval."""
    return "(no interval)" if isnan(estimate.low) else f"[{score(estimate.low)}, {score(estimate.high)}]"


def interval(estimate: Estimate) -> str:
    """'0.93 [0.88, 0.96]', or a dash where undefined."""
    return f"{score(estimate.value)} {bounds(estimate)}" if estimate.is_defined else DASH


def count(n: int, thing: str) -> str:
    """'1 image', '1,204 images'."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
