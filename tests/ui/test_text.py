"""User strings stay what they are; numbers read as people write them."""

from datetime import UTC, datetime, timedelta
from math import nan

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.ui.text import ago, duration_range, interval, literal, md_escape, score

JOINER = "\u2060"


def _markdown_shows(text: str) -> str:
    """What CommonMark draws of a line in which every punctuation character is escaped."""
    out, characters = [], iter(text)
    for char in characters:
        if char == "\\":
            out.append(next(characters))
        else:
            assert char.isalnum() or char in f" …{JOINER}" or ord(char) > 127, f"{char!r} is not escaped"
            out.append(char)
    return "".join(out)


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://host/x.png)", "<img src=x onerror=alert(1)>", ":red[boo] :material/home: :smile: :streamlit:",
        "$\\frac{1}{2}$", "**bold** _it_ `code` ~~gone~~ [a](javascript:alert(1))", "# head", "1. - + > a",
        "a -> b <-> c -- d >= e", "www.host.org me@host.org https://host.org", "a|b", "back\\slash",
    ],
)  # fmt: skip
def test_markdown_shows_each_character_as_itself(hostile):
    assert _markdown_shows(md_escape(hostile)).replace(JOINER, "") == hostile


@pytest.mark.parametrize(
    "spell", [":smile:", ":material/home:", ":streamlit:", "a -> b", "a <-> b", "x@y.org", "www.y.org"]
)
def test_spells_that_work_on_escaped_text_are_parted(spell):
    assert spell not in _markdown_shows(md_escape(spell))


def test_invisible_and_turning_characters_are_spelled_out():
    assert literal("a\u202eb\u200bc\nd\x00é") == "a\\u202eb\\u200bc\\nd\\x00é"


def test_long_names_are_clipped_at_eighty():
    assert len(literal("x" * 81)) == 80 and literal("x" * 81).endswith("…") and literal("x" * 80) == "x" * 80


def test_an_estimate_is_never_shown_without_its_interval_and_undefined_is_a_dash():
    assert (
        interval(Estimate(split="internal", metric="f1", value=0.931, low=0.876, high=0.964, n=9))
        == "0.93 [0.88, 0.96]"
    )
    assert interval(Estimate(split="internal", metric="f1", value=nan)) == "–"
    assert score(-0.125) == "−0.12"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(40, 55, "40–55 s"), (0.2, 0.4, "1 s"), (60, 180, "1–3 min"), (700, 1100, "12–18 min"), (7200, 14400, "2–4 h")],
)
def test_time_left_is_a_range_in_one_unit(low, high, words):
    assert duration_range(low, high) == words


def test_ago_reads_a_time_without_a_zone_as_utc():
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert ago(datetime(2026, 1, 1, 11, 59, 48), now) == ago(now - timedelta(seconds=12), now) == "12 s ago"
    assert ago(None) == "–"
