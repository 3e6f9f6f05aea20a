"""The numbers behind each figure, and that what a user typed is drawn as typed."""

import json
from itertools import pairwise
from math import isnan, nan
from types import SimpleNamespace

import numpy as np
import pytest

from covaudit.domain.estimate import Confusion
from covaudit.domain.run import EpochRecord
from covaudit.figures.compare import compare_info, plot_compare
from covaudit.figures.confusion import confusion_info, plot_confusion
from covaudit.figures.forest import forest_info, plot_forest, point_height
from covaudit.figures.gap import gap_info, plot_gap
from covaudit.figures.history import history_info, plot_history
from covaudit.figures.label_sets import axis_names
from covaudit.figures.layout import for_theme
from covaudit.figures.matrix_difference import plot_matrix_difference
from covaudit.figures.palette import SERIES, symbol, text_on
from covaudit.figures.roc import plot_roc, roc_info
from covaudit.figures.source_grid import plot_source_grid, source_grid_info
from covaudit.figures.text import interval, literal, number
from covaudit.metrics.curves import RocCurve

EVIL = "<b>x</b> & <a href='https://example.org'>y</a>"
ESCAPED = "&lt;b&gt;"


def epoch(number: int, loss: float = 1.0, is_best: bool = False) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        train_loss=loss,
        val_loss=loss + 0.1,
        val_balanced_accuracy=0.5,
        lr=0.01,
        seconds=1,
        is_best=is_best,
    )


def figures_with(name: str, estimate) -> dict[str, object]:
    """Every figure that shows a class, source or run, each called `name`."""
    curve = RocCurve(name, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    return {
        "confusion": plot_confusion(
            confusion_info(Confusion(split="val", classes=(name, "B"), counts=((1, 2), (3, 4))))
        ),
        "grid": plot_source_grid(source_grid_info({(name, name): 3}, [name])),
        "forest": plot_forest(
            forest_info([estimate(0.5, class_name=name), estimate(0.6, class_name="B", source=name)])
        ),
        "series": plot_forest(forest_info([estimate(0.5, source=name), estimate(0.6, source="t")], series="source")),
        "compare": plot_compare(compare_info({name: [estimate(0.5)], "other": [estimate(0.6)]})),
        "roc": plot_roc(roc_info([curve], [estimate(0.9, "auroc", class_name=name)], "internal")),
        "metric": plot_gap(gap_info([estimate(0.5, metric=name)], [name])),
    }


def texts(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


def test_a_user_s_string_is_shown_as_typed(estimate):
    for kind, figure in figures_with(EVIL, estimate).items():
        shown = texts(json.loads(figure.to_json()))
        assert any(ESCAPED in text for text in shown), kind
        assert not [text for text in shown if "<a " in text or "<b>x" in text], kind


def test_no_figure_paints_a_background_or_sets_a_text_colour(estimate):
    for kind, figure in figures_with("A", estimate).items():
        layout = json.loads(figure.to_json())["layout"]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)", kind
        assert "color" not in layout.get("font", {}), kind
        assert layout["uirevision"] == "keep", kind


def test_for_theme_leaves_the_text_on_cells(estimate):
    figure = for_theme(
        plot_confusion(confusion_info(Confusion(split="val", classes=("A",), counts=((3,),)))), is_dark=True
    )
    assert figure.layout.font.color == figure.layout.xaxis.tickfont.color == "#FAFAFA"
    assert figure.layout.annotations[0].font.color == "#000000"


def test_literal_clips_before_it_escapes():
    assert literal("a<b") == "a&lt;b"
    assert literal("&" * 10, 4) == "&amp;&amp;&amp;…"
    assert literal("a\nb\u202ec") == "a b c"


def test_digits():
    assert (number(0.126), number(-0.5), number(0.5, signed=True), number(nan)) == ("0.13", "−0.50", "+0.50", "–")
    assert number(-0.001) == "0.00"
    assert (interval(0.1, 0.25), interval(nan, nan)) == ("[0.10, 0.25]", "")


def test_history_in_order_with_the_epoch_that_is_kept():
    info = history_info([epoch(2, 0.5, True), epoch(1, 1.0, True), epoch(3, float("inf"))])
    assert info.epochs == (1, 2, 3)
    assert info.train_loss[:2] == (1.0, 0.5) and isnan(info.train_loss[2])
    assert (info.best, info.diverged) == (2, (3,))
    figure = plot_history(info)
    assert list(figure.data[1].y[:2]) == [1.1, 0.6]
    assert any("kept: epoch 2, 0.50" in note.text for note in figure.layout.annotations)
    assert any("not a number" in (note.hovertext or "") for note in figure.layout.annotations)


def test_history_on_a_logarithmic_axis():
    assert plot_history(history_info([epoch(1)]), log_loss=True).layout.yaxis.type == "log"


def test_confusion_shares_are_of_the_row():
    info = confusion_info(Confusion(split="internal", classes=("A", "B"), counts=((3, 1), (0, 0))))
    assert info.rows == ("A", "B")
    assert info.shares[0] == (0.75, 0.25) and info.n == 4
    assert all(isnan(value) for value in info.shares[1])
    figure = plot_confusion(info)
    assert [note.text.split("<br>")[0] for note in figure.layout.annotations] == ["<b>3</b>", "<b>1</b>"] + [
        "<b>0</b>"
    ] * 2
    assert "75 %" in figure.layout.annotations[0].text
    assert "Truth: A<br>Prediction: B<br>1 of 4 (25 %)" in figure.data[0].customdata[0][1]
    assert figure.layout.yaxis.title.text == "Truth (rows)" and figure.layout.xaxis.title.text == "Prediction"
    # The first row is on top, and a cell without a fill leaves its text to the theme.
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.annotations[2].font.color is None


@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.45, 0.5, 0.55, 0.6, 0.8, 1])
def test_cell_text_has_the_contrast_of_wcag_aa(share):
    from plotly.colors import sample_colorscale, unlabel_rgb

    def luminance(channels: list[float]) -> float:
        return sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True)
        )

    cell = luminance([c / 255 for c in unlabel_rgb(sample_colorscale("Cividis", [share])[0])])
    text = 1.0 if text_on(share) == "#ffffff" else 0.0
    assert (max(cell, text) + 0.05) / (min(cell, text) + 0.05) >= 4.5


def test_no_two_series_share_colour_and_marker():
    pairs = {(SERIES[number % len(SERIES)], symbol(number)) for number in range(24)}
    assert len(pairs) == 24


def test_grid_shares_are_of_the_class():
    info = source_grid_info({("s", "A"): 30, ("t", "A"): 10, ("t", "B"): 5, ("u", "B"): 0}, ["A", "B"])
    assert info.sources == ("s", "t")
    assert info.counts == ((30, 0), (10, 5)) and info.class_totals == (40, 5)
    assert info.shares == ((0.75, 0.0), (0.25, 1.0))
    # chi2 of [[30, 0], [10, 5]]: 45 * (30 * 5)**2 / (30 * 15 * 40 * 5) = 11.25.
    assert info.cramers_v == pytest.approx((11.25 / 45) ** 0.5)
    assert [note.text for note in plot_source_grid(info).layout.annotations][1] == "0"


def test_forest_rows_are_titled_by_what_differs(estimate):
    estimates = [
        estimate(0.9, "sensitivity", split, class_name=name)
        for name in ("CVP", "NOR")
        for split in ("internal", "external")
    ]
    info = forest_info(estimates)
    assert info.series == ("Internal test", "External test")
    assert [row.title for row in info.rows] == ["CVP, COVID-19 pneumonia", "NOR, Normal"]
    assert (info.low, info.high) == (0.0, 1.0)


def test_forest_draws_value_interval_and_n(estimate):
    figure = plot_forest(forest_info([estimate(0.8, n=29), estimate(0.6, split="external", n=30)]))
    first, second = figure.data[0], figure.data[2]
    assert list(first.x) == [0.8] and list(second.x) == [0.6]
    assert list(first.error_x.array) == pytest.approx([0.05]) and list(first.error_x.arrayminus) == pytest.approx(
        [0.05]
    )
    assert first.text[0] == "0.80  (n 29)"
    assert "0.80 [0.75, 0.85], n 29<br>wilson" in first.customdata[0]
    # Fewer than 30 images: hollow.
    assert (first.marker.symbol[0], second.marker.symbol[0]) == ("circle-open", "square")


def test_forest_shows_a_dash_and_the_reason_for_undefined(estimate):
    figure = plot_forest(forest_info([estimate(0.8), estimate(nan, split="external", n=0)]))
    points, dashes = figure.data[2], figure.data[3]
    assert list(points.x) == [None]
    assert list(dashes.text) == ["–  External test: no image"]
    assert "NaN" not in json.dumps(json.loads(figure.to_json()))


def test_forest_rows_do_not_overlap(estimate):
    info = forest_info([estimate(0.5, split=s, class_name=c) for c in "ABC" for s in ("internal", "external")])
    heights = [point_height(info, row, order) for row in range(3) for order in range(2)]
    assert all(later - earlier >= 30 for earlier, later in pairwise(heights))


def test_gap_takes_only_overall_estimates(estimate):
    estimates = [
        estimate(0.95),
        estimate(0.70, split="external"),
        estimate(0.25, split="gap"),
        estimate(0.10, source="s"),
        estimate(0.20, class_name="A"),
    ]
    info = gap_info(estimates)
    assert [row.metric for row in info.rows] == ["balanced_accuracy"]
    row = info.rows[0]
    assert (row.internal.value, row.external.value, row.gap.value) == (0.95, 0.70, 0.25)
    figure = plot_gap(info)
    assert figure.layout.annotations[0].text == "<b>Balanced accuracy: gap +0.25 [+0.20, +0.30]</b>"
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(0.95, 0.70)]


def test_gap_without_an_external_test_draws_no_line(estimate):
    figure = plot_gap(gap_info([estimate(0.95), estimate(nan, split="external", n=0), estimate(nan, split="gap", n=0)]))
    assert figure.layout.annotations[0].text == "<b>Balanced accuracy: gap –</b>"
    assert not figure.layout.shapes


def test_compare_has_a_series_for_each_run(estimate):
    runs = {
        "one": [estimate(0.9), estimate(0.6, split="external"), estimate(0.3, split="gap")],
        "two": [estimate(0.8), estimate(-0.1, split="gap")],
    }
    info = compare_info(runs)
    assert info.series == ("one", "two")
    assert [row.title for row in info.rows] == [
        "Balanced accuracy · Internal test",
        "Balanced accuracy · External test",
        "Balanced accuracy · Gap (internal − external)",
    ]
    assert info.rows[1].points[0].value == 0.6
    assert isnan(info.rows[1].points[1].value) and info.rows[1].points[1].method == "not measured"
    assert info.low == pytest.approx(-0.2)
    assert {trace.name for trace in plot_compare(info).data if trace.showlegend is not False} == {"one", "two"}


def test_roc_shows_the_estimated_area(estimate):
    curve = RocCurve("A", np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.8, 1.0]))
    info = roc_info([curve], [estimate(0.9, "auroc", class_name="A"), estimate(0.1, "auroc")], "internal")
    assert info.areas[0].value == 0.9
    figure = plot_roc(info)
    assert figure.data[1].name == "A 0.90 [0.85, 0.95]"
    assert list(figure.data[1].y) == [0.0, 0.8, 1.0]


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (plot_history(history_info([])), "No epoch is finished yet."),
        (
            plot_confusion(confusion_info(Confusion(split="val", classes=("A", "B"), counts=((0, 0), (0, 0))))),
            "No image",
        ),
        (plot_source_grid(source_grid_info({}, ["A"])), "No image is drawn."),
        (plot_forest(forest_info([])), "Nothing is measured yet."),
        (plot_gap(gap_info([])), "Nothing is measured yet."),
        (plot_roc(roc_info([], [], "internal")), "No curve"),
    ],
)
def test_an_empty_figure_says_so(figure, words):
    assert words in figure.layout.annotations[0].text


SETS = ("COVID+Pneumonia+Virus", "Normal", "Pneumonia+Virus", "Pneumonia")


def test_label_sets_are_named_by_the_fewest_letters():
    names = axis_names(SETS)
    assert names.ticks == ("C+P+V", "N", "P+V", "P") and names.key == "C COVID, N Normal, P Pneumonia, V Virus"
    assert axis_names(["Virus+Vira", "Viral"]).ticks == ("Viru+Vira", "Viral")
    assert axis_names(["NCV", "CVP"]) == (("NCV", "CVP"), "")
    assert axis_names(["<b>+x", "y"]).ticks == ("&lt;+x", "y")


def test_rows_are_the_label_sets_that_some_image_has():
    counts = ((0, 3, 1, 0), (0, 4, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))
    info = confusion_info(Confusion(split="external", classes=SETS, counts=counts))
    assert info.rows == SETS[:2] and info.counts == counts[:2] and info.shares[0] == (0, 0.75, 0.25, 0)
    figure = plot_confusion(info)
    assert figure.layout.yaxis.ticktext == ("C+P+V", "N") and figure.layout.xaxis.ticktext == ("C+P+V", "N", "P+V", "P")
    assert len(figure.layout.annotations) == 8


def test_of_label_sets_the_difference_shows_those_that_moved():
    info = SimpleNamespace(
        classes=SETS,
        counts=((0, -3, 3, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)),
        p_values=((1.0, 0.2, 0.2, 1.0), *[(1.0, 1.0, 1.0, 1.0)] * 3),
    )
    figure = plot_matrix_difference(info)
    assert figure.layout.yaxis.ticktext == ("C+P+V",) and figure.layout.xaxis.ticktext == ("N", "P+V")
    assert [tuple(row) for row in figure.data[0].z] == [(-3, 3)]
    assert [note.text.split("</b>")[0] for note in figure.layout.annotations] == ["<b>−3", "<b>+3"]
