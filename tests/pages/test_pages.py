"""Each page with runs, without any, and with an address that leads nowhere: what a person reads."""

import pytest
from streamlit.testing.v1 import AppTest

PAGES = ("overview", "sources", "compose", "jobs", "results", "heat_maps", "findings", "predict", "compare", "papers")
NEED_A_RUN = ("results", "heat_maps", "findings", "predict", "compare")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_the_banner_and_without_an_error(name, filled, open_page, seen):
    app = open_page(name)
    assert "Research use only. Not a medical device." in seen(app)
    assert len(app.title) == 1 and all("Cramér's V" in error.value for error in app.error)


@pytest.mark.parametrize("name", NEED_A_RUN)
def test_without_runs_a_page_says_so_and_offers_one_way_on(name, empty, open_page, seen):
    app = open_page(name)
    words = seen(app)
    assert "No run is finished yet." in words or "Comparing takes 2 finished runs; there are none yet." in words
    assert [button.label for button in app.button] == ["Run the demo"]


def test_empty_overview_offers_the_demo(empty, open_page, seen):
    assert "No runs yet. The demo trains two small networks" in seen(open_page("overview"))


def test_empty_jobs_offers_compose(empty, open_page):
    assert [button.label for button in open_page("jobs").button] == ["Compose one"]


@pytest.mark.parametrize("name", ["results", "heat_maps", "findings", "predict", "jobs"])
def test_a_dead_link_says_so(name, filled, open_page):
    app = open_page(name, run="0123456789ab")
    assert any("There is no run 0123456789ab here" in warning.value for warning in app.warning)


@pytest.mark.parametrize("name", ["results", "findings"])
def test_a_link_opens_the_run_that_it_names(name, filled, open_page):
    from covaudit.domain.presets import PRESETS

    single = PRESETS["demo-single"]
    app = open_page(name, run=single.id[:6])  # the beginning of an id is enough
    assert app.selectbox(key="run_picker").value == single.id
    assert app.query_params["run"] == single.id


def test_choosing_another_run_changes_the_address(filled, open_page):
    app = open_page("results")
    before = app.query_params["run"]
    other = next(one for one in app.selectbox(key="run_picker").options if before[:6] not in one)
    app.selectbox(key="run_picker").select(other).run()
    assert app.query_params["run"] != before and app.query_params["run"][:6] in other


def test_a_deep_link_that_is_the_first_visit_after_a_start_goes_through_app(filled, seen):
    app = AppTest.from_file("../../app.py", default_timeout=60).run()
    app.switch_page("pages/findings.py").run()  # as Streamlit does it then: without app.py
    assert "Research use only. Not a medical device." in seen(app) and app.title[0].value == "Findings"
