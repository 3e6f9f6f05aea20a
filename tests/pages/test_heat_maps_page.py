"""Heat maps: filters, order, pages, and one image in detail."""

import pytest

from covaudit.domain.presets import PRESETS
from covaudit.store import results, runs

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
        ({"test": "External test"}, lambda t: t["split"] == "external"),
        ({"answer": "Wrong"}, lambda t: t["predicted"] != t["class_name"]),
        ({"class": "CVP", "answer": "Right"}, lambda t: (t["class_name"] == "CVP") & (t["predicted"] == "CVP")),
        ({"source": "phantom-b"}, lambda t: t["source"] == "phantom-b"),
    ],
)
def test_filters_live_in_the_address(query, keep, filled, open_page, seen):
    app = open_page("heat_maps", run=SINGLE.id, **query)
    assert _count(seen, app) == int(keep(_table(filled)).sum())


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
