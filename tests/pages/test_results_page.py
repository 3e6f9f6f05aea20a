"""Results: the digits of the page are those of the store, each with its interval and n."""

import json

from covaudit.domain.presets import PRESETS
from covaudit.store import results
from covaudit.ui.components import scores
from covaudit.ui.text import interval, score

SINGLE = PRESETS["demo-single"]


def test_the_gap_is_the_headline_with_its_interval(filled, open_page, seen):
    words = seen(open_page("results", run=SINGLE.id))
    gap = scores.find(results.estimates(filled, SINGLE.id), "gap", "balanced_accuracy")
    assert (
        f"loses **{score(gap.value)}** of balanced accuracy (95 % interval {score(gap.low)} to {score(gap.high)})"
        in words
    )
    assert "The interval lies above 0: the loss is more than chance." in words


def test_metrics_by_class_follow_the_test_that_is_chosen(filled, open_page):
    app = open_page("results", run=SINGLE.id)
    estimates = results.estimates(filled, SINGLE.id)
    for split in ("external", "internal"):
        app.radio(key="split").set_value(split).run()
        table = app.dataframe[0].value.set_index("Class")
        wanted = scores.find(estimates, split, "sensitivity", class_name="CVP")
        assert table.loc["CVP (COVID-19 pneumonia)", "Sensitivity"] == interval(wanted)
        assert table.loc["CVP (COVID-19 pneumonia)", "Images"] == wanted.n


def test_few_images_are_called_too_few(filled, open_page):
    app = open_page("results", run=SINGLE.id)
    app.radio(key="split").set_value("internal").run()  # 20 images of each class
    assert list(app.dataframe[0].value["Note"]) == ["too few", "too few"]


def test_the_roc_curves_are_named_by_the_stored_areas(filled, open_page, seen):
    assert "ROC curves" in seen(open_page("results", run=SINGLE.id))
    figures = [json.loads(one.proto.spec) for one in open_page("results", run=SINGLE.id).get("plotly_chart")]
    (internal, external) = [
        one for one in figures if any("1 − spec" in str(t.get("hovertemplate")) for t in one["data"])
    ]
    for split, figure in (("internal", internal), ("external", external)):
        area = scores.find(results.estimates(filled, SINGLE.id), split, "auroc", class_name="CVP")
        assert any(str(trace.get("name", "")).startswith(f"CVP {area.value:.2f}") for trace in figure["data"])


def test_what_was_used_is_counted(filled, open_page, seen):
    table = results.samples(filled, next(run for run in _runs(filled) if run.id == SINGLE.id))
    assert f"{len(table)} images of" in seen(open_page("results", run=SINGLE.id))


def test_a_lost_file_is_said_and_the_numbers_stay(filled, open_page, seen):
    for path in (filled.workspace / "runs" / SINGLE.id).rglob("*.parquet"):
        path.unlink()
    app = open_page("results", run=SINGLE.id)
    assert any("is missing" in error.value for error in app.error)
    assert "loses" in seen(app)


def test_a_lost_heat_map_is_one_sentence(filled, open_page):
    for path in (filled.workspace / "runs" / SINGLE.id).rglob("predictions.parquet"):
        path.unlink()
    app = open_page("heat_maps", run=SINGLE.id)
    assert len(app.error) == 1 and "predictions" in app.error[0].value


def _runs(store):
    from covaudit.store import runs

    return runs.listing(store)
