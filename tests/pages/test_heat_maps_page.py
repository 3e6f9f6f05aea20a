"""Heat maps: filters, order, pages, and one image in detail."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from covaudit.domain.presets import PRESETS
from covaudit.domain.regions import LUNGS_FOUND, LUNGS_KNOWN
from covaudit.store import results, runs
from covaudit.ui import prediction
from covaudit.ui.components import images

SINGLE = PRESETS["demo-single"]


def _table(store):
    table = results.predictions(store, runs.get(store, SINGLE.id))
    return table[table["heatmap_row"] >= 0]


def _count(seen, app) -> int:
    line = next(line for line in seen(app).splitlines() if "–" in line and " of " in line and "image" in line)
    return int(line.split(" of ")[1].split()[0].replace(",", ""))


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ({}, lambda t: t["split"] != ""),
        ({"test": "external"}, lambda t: t["split"] == "external"),
        ({"answer": "Wrong"}, lambda t: t["predicted"] != t["class_name"]),
        ({"class": "CVP", "answer": "Right"}, lambda t: (t["class_name"] == "CVP") & (t["predicted"] == "CVP")),
        ({"source": "phantom-b"}, lambda t: t["source"] == "phantom-b"),
    ],
)
def test_filters_live_in_the_address(query, keep, filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id, **query)
    assert _count(seen, app) == int(keep(_table(filled)).sum())


def test_the_address_holds_short_values_and_nothing_for_what_is_usual(filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id, order="Least certain", answer="no such answer")
    assert app.query_params["order"] == "uncertain" and "answer" not in app.query_params  # the words of an old link
    app.radio(key="test").set_value("external").run()
    assert app.query_params["test"] == "external" and app.selectbox(key="order").value == "uncertain"
    app.switch_page("pages/findings.py").run()
    app.switch_page("pages/heat_maps.py").run()
    assert app.query_params["test"] == "external" and _count(seen, app) == (_table(filled)["split"] == "external").sum()
    del app.query_params["test"]  # one page back
    app.run()
    assert app.radio(key="test").value == "both"


def test_the_first_card_has_most_heat_outside_the_lungs(filled, open_page, seen):
    worst = _table(filled)["outside_lungs"].max()
    lines = [line for line in seen(open_page("heat_maps", run=SINGLE.id)).splitlines() if "outside the lungs" in line]
    assert lines[2] == f"{100 * worst:.0f} % outside the lungs"  # after what the page says of itself and of the gallery


def test_a_page_holds_24_images_and_the_second_one_goes_on(filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id)
    assert len(app.image) == 24 + 1  # and the colour bar
    app.get("pagination")[0].set_value(2).run()
    assert "25–48 of" in seen(app)


def test_a_filter_that_shortens_the_gallery_does_not_lose_the_page(filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id, page="5")
    app.multiselect(key="source").set_value(["phantom-b"]).run()
    assert not app.exception and _count(seen, app) == 20


def test_nothing_fits_the_filters(filled, open_page):
    app = open_page("heat_maps", run=SINGLE.id, source="phantom-a", **{"class": "CVP"})
    assert app.info[0].value == "No image fits these filters."
    assert "Clear the filters" in [button.label for button in app.button]


def test_an_image_opens_with_its_facts_and_steps_to_the_next(filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id)
    first = next(button for button in app.button if button.label == "Open")
    first.click().run()
    ranked = _table(filled).sort_values(["outside_lungs", "image_id"], ascending=[False, True])
    assert ranked.iloc[0]["image_id"] in seen(app) and "1 of" in seen(app)
    next(button for button in app.button if button.label == "Next").click().run()
    assert ranked.iloc[1]["image_id"] in seen(app)
    next(button for button in app.button if button.label == "Back to all").click().run()
    assert "image" not in app.query_params and len(app.image) == 25


def test_the_text_says_where_and_not_why(filled, open_page, seen):
    assert "Where the score for the predicted class changes, not why." in seen(open_page("heat_maps"))


@pytest.fixture
def opened(filled, open_page):
    """The page of the image with most heat outside the lungs."""
    row = _table(filled).sort_values(["outside_lungs", "image_id"], ascending=[False, True]).iloc[0]
    return row, open_page("heat_maps", run=SINGLE.id, image=str(row["sample_row"]))


def test_the_map_of_another_method_is_asked_for_and_said_not_to_be_the_audited_one(opened, seen, monkeypatch):
    row, app = opened
    assert "Heat map of" in seen(app) and "Not the audited one" not in seen(app)
    asked = []

    def explain_row(store, run, row, target, method, options):
        asked.append((row["image_id"], target, method, options.threshold, options.relu_gradients))
        return SimpleNamespace(film=np.zeros((96, 96), np.uint8), heat=np.zeros((96, 96), np.uint8), is_empty=True)

    monkeypatch.setattr(prediction, "explain_row", explain_row)
    app.selectbox(key="heat_method").set_value("occlusion").run()
    assert "No evidence for" in seen(app)
    app.selectbox(key="heat_class").set_value("NCV").run()
    app.selectbox(key="heat_method").set_value("grad-cam").run()
    app.slider(key="heat_threshold").set_value(60).run()
    app.toggle(key="heat_relu").set_value(True).run()
    assert asked[0] == (row["image_id"], row["heat_target"], "occlusion", 0, False)
    assert asked[-1] == (row["image_id"], "NCV", "grad-cam", 0.6, True)
    assert not app.exception


def test_it_is_said_whose_outline_of_the_lungs_is_drawn(opened, seen, filled, monkeypatch):
    row, app = opened
    assert "lungs as" not in seen(app)
    app.toggle(key="lungs").set_value(True).run()
    assert "As the network saw it; lungs as the source gives them" in seen(app)
    found = SimpleNamespace(regions=np.full((4, 4), LUNGS_KNOWN | LUNGS_FOUND, np.uint8))
    monkeypatch.setattr(images.results, "shown", lambda store, run, rows: [found])
    monkeypatch.setattr(images.results, "summary", lambda store, run_id: {"lungs_found_by": "CovAudit's U-Net"})
    assert images.lungs_words(filled, runs.get(filled, SINGLE.id), row) == "lungs as CovAudit's U-Net found them"


def test_a_network_that_is_gone_is_said_in_words(opened, seen):
    """The runs of this workspace have no weights."""
    _, app = opened
    app.selectbox(key="heat_method").set_value("saliency").run()
    assert not app.exception
    assert "cannot be loaded" in app.error[0].value


def test_badges_say_which_methods_are_blind(filled, open_page, seen, opened):
    assert "Not sanity-checked" in seen(opened[1])
    judged = {"value": 0.1, "low": 0.0, "high": 0.2, "n": 16}
    passed = judged | {"fails": False, "passes": True}
    failed = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 16, "fails": True, "passes": False}
    methods = {
        "hires-cam": {"cascade": passed, "twin": passed, "refused": None},
        "grad-cam": {"cascade": passed, "twin": failed, "refused": None},
        "guided-backprop": {"cascade": None, "twin": None, "refused": "This network has none."},
    }
    found = {"twin": {"epochs": 5, "accuracy_on_shuffled_labels": 0.75, "n": 40}, "methods": methods}
    folder = results.folder(filled, runs.get(filled, SINGLE.id))
    (folder / "sanity.json").write_text(json.dumps(found))
    app = open_page("heat_maps", run=SINGLE.id)
    assert "Passes the sanity check" in seen(app)
    assert "knows 75 % of 40 shuffled labels" in seen(app)
    table = next(frame.value for frame in app.dataframe if "Outcome" in frame.value)
    assert not app.warning
    methods["hires-cam"]["cascade"] = failed
    (folder / "sanity.json").write_text(json.dumps(found))
    assert "They are no evidence" in open_page("heat_maps", run=SINGLE.id).warning[0].value
    assert table["Outcome"].tolist() == ["passes", "fails", "This network has none."]
    assert table["Of the twin"].tolist() == ["0.10 [0.00, 0.20], n = 16", "0.90 [0.80, 0.95], n = 16", "–"]
