"""Results: the digits of the page are those of the store, each with its interval and n."""

import json

from covaudit.domain.estimate import Estimate
from covaudit.domain.presets import PRESETS
from covaudit.reports import tables
from covaudit.store import results
from covaudit.ui.text import interval, score

SINGLE = PRESETS["demo-single"]


def test_the_gap_is_the_headline_with_its_interval(filled, open_page, seen):
    words = seen(open_page("results", run=SINGLE.id))
    gap = tables.find(results.estimates(filled, SINGLE.id), "gap", "balanced_accuracy")
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
        table = next(one.value for one in app.dataframe if "Class" in one.value).set_index("Class")
        wanted = tables.find(estimates, split, "sensitivity", class_name="CVP")
        assert table.loc["CVP (COVID-19 pneumonia)", "Sensitivity"] == interval(wanted)
        assert table.loc["CVP (COVID-19 pneumonia)", "Images"] == wanted.n


def test_few_images_are_called_too_few(filled, open_page):
    app = open_page("results", run=SINGLE.id)
    app.radio(key="split").set_value("internal").run()  # 20 images of each class
    assert list(next(one.value for one in app.dataframe if "Class" in one.value)["Note"]) == ["too few", "too few"]


def test_the_roc_curves_are_named_by_the_stored_areas(filled, open_page, seen):
    assert "ROC curves" in seen(open_page("results", run=SINGLE.id))
    figures = [json.loads(one.proto.spec) for one in open_page("results", run=SINGLE.id).get("plotly_chart")]
    (internal, external) = [
        one for one in figures if any("1 − spec" in str(t.get("hovertemplate")) for t in one["data"])
    ]
    for split, figure in (("internal", internal), ("external", external)):
        area = tables.find(results.estimates(filled, SINGLE.id), split, "auroc", class_name="CVP")
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


def test_a_network_that_does_not_beat_a_baseline_says_so(filled, open_page):
    app = open_page("results", run=SINGLE.id)
    estimates = results.estimates(filled, SINGLE.id)
    lead = tables.find(estimates, "external", "lead: balanced_accuracy", baseline="majority")
    said = [one.value for one in app.warning if "External test" in one.value]
    # The marker reader is at chance outside: it cannot lead the majority class there.
    assert not lead.low > 0
    assert len(said) == 1 and "Does not beat" in said[0] and "always the most frequent class" in said[0]


def test_moving_the_threshold_says_what_that_is(filled, open_page, seen):
    app = open_page("results", run=SINGLE.id)
    assert "Locked: the threshold" in seen(app)
    slider = app.slider(key=f"threshold_{SINGLE.id}_CVP")
    slider.set_value(0.05 if slider.value > 0.5 else 0.95).run()
    assert any("not to be reported" in one.value for one in app.warning)


def test_the_papers_interval_is_flagged_where_it_misleads():
    from covaudit.domain.estimate import Estimate
    from covaudit.metrics.wald import as_in_paper

    perfect = Estimate(split="internal", metric="sensitivity", value=1.0, low=0.757, high=1.0, n=12)
    assert as_in_paper(perfect).half_width == 0 and "± 0" in as_in_paper(perfect).flag
    # 11 of 12 as 132 of 144 copies: +/- 4.51 printed, the honest interval is 0.646 to 0.985.
    copies = Estimate(split="internal", metric="sensitivity", value=11 / 12, low=0.646, high=0.985, n=144)
    assert round(100 * as_in_paper(copies).half_width, 2) == 4.51
    assert as_in_paper(copies).flag == "73 % narrower than ours"
    close = Estimate(split="internal", metric="accuracy", value=0.8, low=0.759, high=0.836, n=400)
    assert as_in_paper(close).flag == ""


def test_a_dash_is_explained():
    ppv = {"metric": "ppv", "split": "external", "class": "CVP", "method": "undefined: none was predicted CVP"}
    of_all = [Estimate(metric="accuracy", split=split, value=0.5, n=2) for split in ("internal", "external")]
    shown = [Estimate.model_validate(ppv), *of_all]
    hidden = [Estimate.model_validate(ppv | {"source": "phantom-e"}), Estimate.model_validate(ppv | {"fold": 1})]
    assert tables.reasons([*shown, *hidden]) == {"none was predicted CVP": ["PPV of CVP, external test"]}
    # A test without images is one reason, however many metrics have none.
    gap = Estimate(metric="accuracy", split="gap", n=2, method="undefined: no image (external)")
    none = [Estimate(metric=name, split="external", method="undefined: no image") for name in ("accuracy", "auroc")]
    assert tables.reasons([of_all[0], *none, gap]) == {"no image": ["all of the external test"]}
