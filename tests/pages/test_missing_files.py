"""Files of a run that were deleted by hand, or never came with it: said where they are missing, and nothing breaks."""

import shutil

import pytest

from covaudit.domain.presets import PRESETS
from covaudit.store import artifacts, bundle, sources, trash, unbundle

SINGLE, BALANCED = PRESETS["demo-single"], PRESETS["demo-balanced"]
PAGES = ("overview", "jobs", "results", "heat_maps", "findings", "predict", "compare")
FILES = ("predictions.parquet", "heatmaps.npy", "pixels.npy")


def _address(page):
    if page == "compare":
        return {"runs": f"{SINGLE.id},{BALANCED.id}"}
    return {"run": SINGLE.id} if page in ("jobs", "results", "heat_maps", "findings", "predict") else {}


@pytest.mark.parametrize("page", PAGES)
def test_a_run_without_its_folder_breaks_no_page(page, filled, open_page, seen):
    shutil.rmtree(filled.workspace / "runs" / SINGLE.id)
    app = open_page(page, **_address(page))
    assert not app.exception and len(app.title) == 1
    words = seen(app)
    if page in ("results", "heat_maps", "findings", "jobs", "compare", "predict"):
        assert f"Files of run {SINGLE.id[:6]} are missing: " in words and "predictions.parquet" in words
    if page == "jobs":
        assert "⚠ Done, files are missing" in words
    if page == "results":  # the numbers are rows and are still there
        assert "Balanced accuracy, internal against external" in words and "By source" in words
    if page == "findings":
        assert "Swapping the marker changes the answer." in words


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("page", ["overview", "results", "heat_maps", "compare"])
def test_a_single_missing_file_breaks_no_page(page, name, filled, open_page, seen):
    (artifacts.run_folder(filled, SINGLE.id, 1) / name).unlink()
    app = open_page(page, **_address(page))
    assert not app.exception and len(app.title) == 1


@pytest.mark.parametrize("page", ["jobs", "results", "heat_maps", "predict"])
def test_a_run_from_another_machine_breaks_no_page(page, filled, open_page, seen, tmp_path, ask_mine):
    app = open_page(page, **(_address(page) | ({"run": ask_mine} if page != "compare" else {})))
    assert not app.exception and len(app.title) == 1


def test_a_source_of_another_machine_is_named_where_it_is_needed(filled, open_page, seen, ask_mine):
    app = open_page("compose", copy=ask_mine)
    assert "far-away" in seen(app) or any("far-away" in str(box.value) for box in app.selectbox)


@pytest.fixture
def ask_mine(filled, tmp_path):
    """A run that was imported, and drew from a source that is not here."""
    from covaudit.domain.source import Source
    from covaudit.store import runs

    here = tmp_path / "films"
    here.mkdir()
    sources.add(filled, Source(name="far-away", reader="folders", path=str(here)))
    plain = SINGLE.model_dump(mode="json") | {"name": "imported"}
    plain["train"][0]["source"] = "far-away"
    experiment = type(SINGLE).model_validate(plain)
    with filled.engine.begin() as connection:
        runs.create(connection, experiment)
    attempt = runs.claim(filled, experiment.id, "cpu")
    from covaudit.store import results

    results.write_outcome(
        filled,
        experiment.id,
        attempt,
        results.Outcome(results.estimates(filled, SINGLE.id)),
        _copied(filled, experiment),
    )
    made = bundle.export(filled, experiment.id, tmp_path / "run.zip")
    trash.throw(filled, experiment.id)
    sources.remove(filled, "far-away")
    return unbundle.take_in(filled, made)


def _copied(store, experiment):
    folder = artifacts.run_folder(store, experiment.id, 1)
    shutil.copytree(artifacts.run_folder(store, SINGLE.id, 1), folder)
    return [path for path in folder.iterdir() if path.name != "log.txt"]


def test_a_database_that_does_not_answer_is_a_sentence(filled, open_page, seen, monkeypatch):
    from sqlalchemy.exc import OperationalError

    from covaudit.store import runs

    def locked(*args, **options):
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(runs, "listing", locked)
    app = open_page("jobs")
    assert not app.exception and "The database does not answer" in seen(app)
