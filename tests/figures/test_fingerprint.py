"""Figures of sources side by side: the quantiles and shares that were given, coloured alike in all."""

from math import nan

import pytest

from covaudit.figures.fingerprint import kinds_info, plot_kinds, plot_spread, spread_info


def test_a_source_without_the_fact_is_left_out_and_colours_stay():
    info = spread_info("Brightness", {"a": (1, 2, 3, 4, 5), "b": (), "c": (nan,) * 5, "d": (2, 2, 2, 2, 2)})
    assert info.sources == ("a", "d") and info.numbers == (0, 3) and info.quantiles[0] == (1, 2, 3, 4, 5)
    box, dot = plot_spread(info).data[:2]
    assert (box.lowerfence[0], box.q1[0], box.median[0], box.q3[0], box.upperfence[0]) == (1, 2, 3, 4, 5)
    assert dot.x[0] == 3


def test_rare_kinds_are_gathered_and_shares_add_up():
    info = kinds_info({"a": {"PNG": 0.99, "TIFF": 0.01}, "b": {"JPEG": 1.0}})
    assert info.kinds == ("JPEG", "PNG", "other")
    assert [sum(row) for row in info.shares] == pytest.approx([1, 1])
    assert info.shares[0] == pytest.approx((0, 0.99, 0.01))
    assert [bar.name for bar in plot_kinds(info).data] == ["JPEG", "PNG", "other"]


def test_names_are_literal_and_nothing_is_said_in_words():
    figure = plot_kinds(kinds_info({"<b>x</b>": {"PNG": 1.0}}))
    assert figure.data[0].y[0] == "&lt;b&gt;x&lt;/b&gt;"
    for empty in (plot_spread(spread_info("x", {})), plot_kinds(kinds_info({}))):
        assert empty.layout.annotations[0].text
