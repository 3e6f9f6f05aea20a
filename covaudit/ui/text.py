"""Words and digits of the pages: user strings shown literally, numbers with their interval, times in words."""

import re
from datetime import UTC, datetime
from math import isnan

from covaudit.figures.text import DASH, TOO_FEW, duration, duration_range, share
from covaudit.reports.text import class_title, count, interval, literal, score

__all__ = [
    "DASH",
    "TOO_FEW",
    "ago",
    "as_utc",
    "class_title",
    "confounding_words",
    "count",
    "duration",
    "duration_range",
]
__all__ += ["interval", "literal", "md_escape", "score", "share", "utc_now"]

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit turns these into icons, emoji, links and arrows even where they are escaped; a word joiner parts them.
_JOINER = "\u2060"
_SPELLS = re.compile(r":|@|www(?=\.)|(?<!\S)[-<>~](?=[->=]+(?!\S))")


def md_escape(text: object, limit: int = 80) -> str:
    """`literal`, such that Markdown shows each character as itself: no link, image, icon, colour, emoji or formula."""
    parted = _SPELLS.sub(lambda match: match.group() + _JOINER, literal(text, limit))
    return _PUNCTUATION.sub(r"\\\1", parted)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """'12 s ago', a dash for never."""
    if moment is None:
        return DASH
    return f"{duration(max(0.0, ((now or utc_now()) - as_utc(moment)).total_seconds()))} ago"


def utc_now() -> datetime:
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """SQLite gives back times without a zone; they are UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def confounding_words(cramers_v: float) -> str:
    """Cramér's V as a sentence about class and source."""
    if isnan(cramers_v):
        return "Not defined: there is one source or one class only."
    if cramers_v > 0.8:
        return "The source all but gives the class away."
    if cramers_v > 0.5:
        return "The source tells a lot about the class."
    if cramers_v > 0.2:
        return "The source tells something about the class."
    return "The source tells little about the class."
