"""Overview, Sources, Findings, Predict and Compare."""

import io
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from covaudit.domain.estimate import Estimate
from covaudit.domain.presets import PRESETS
from covaudit.domain.source import Source
from covaudit.errors import CannotExplain
from covaudit.jobs import scans
from covaudit.reports import tables
from covaudit.store import results, runs, sources
from covaudit.ui import prediction
from covaudit.ui.components.comparison import metrics_of, shared_images
from covaudit.ui.components.story import example_image
from covaudit.ui.text import score

SINGLE, BALANCED = PRESETS["demo-single"], PRESETS["demo-balanced"]


def _png(value: int = 90) -> bytes:
    return cv2.imencode(".png", np.full((128, 128), value, np.uint8))[1].tobytes()


# -- Overview ---------------------------------------------------------------------------------------------------------


def test_the_demo_tells_its_story_in_numbers_and_with_its_gravest_finding(filled, open_page, seen):
    app = open_page("overview")
    words = seen(app)
    for experiment in (SINGLE, BALANCED):
        estimates = results.estimates(filled, experiment.id)
        assert f"On its own mixture {score(tables.find(estimates, 'internal', 'balanced_accuracy').value)}" in words
        assert f"not seen {score(tables.find(estimates, 'external', 'balanced_accuracy').value)}" in words
    assert "Swapping the marker changes the answer" in words and "The gap is small" in words
    assert "The source gives the class away" not in words  # the gravest only
    assert len(app.image) == 4  # radiograph and heat map of each run


def test_the_example_is_the_image_on_which_the_heat_on_the_marker_differs_most():
    def table(heat, rows=(0, 1, 2), predicted=("NCV",) * 3):
        ids = {"source": "s", "image_id": list("abc"), "heatmap_row": rows, "outside_lungs": 0.5}
        return pd.DataFrame(ids | {"on_markers": heat, "class_name": "NCV", "predicted": predicted})

    single = table([0.9, 0.8, 0.1])
    assert example_image([single]) == ("s", "a")
    assert example_image([single, table([0.7, 0.1, 0.0])]) == ("s", "b")  # 0.2, 0.7, 0.1
    assert example_image([single, table([0.7, 0.1, 0.0], (0, -1, 2))]) == ("s", "a")  # b has no map in the second
    wrong_on_c = table([0.9, 0.8, 0.1], predicted=("NCV", "NCV", "CVP"))
    assert example_image([wrong_on_c, table([0.7, 0.1, 0.0])]) == ("s", "c")  # what the shortcut costs comes first
    assert example_image([]) is None and example_image([table([np.nan] * 3).assign(outside_lungs=np.nan)]) is None


def test_the_demo_can_be_removed(filled, open_page, seen):
    app = open_page("overview")
    app.button(key="remove_demo").click().run()
    assert not [run for run in runs.listing(filled) if run.demo]
    assert "The demo: one question, two mixtures" not in seen(app) and "Latest runs" in seen(app)


def test_the_demo_shows_its_progress_while_it_trains(empty, made, open_page, seen):
    from covaudit.domain.run import EpochRecord, Progress

    with empty.engine.begin() as connection:
        runs.create(connection, BALANCED, demo=True)
        runs.create(connection, made.running, demo=True)
    attempt = runs.claim(empty, made.running.id, "cpu")
    for epoch in (1, 2):
        curve = {"train_loss": 1, "val_loss": 1, "val_balanced_accuracy": 0.5, "lr": 1e-3}
        runs.add_epoch(empty, made.running.id, attempt, EpochRecord(epoch=epoch, seconds=10.0, **curve))
    runs.report(empty, made.running.id, attempt, Progress(stage="training", done=20, total=80))
    words = seen(open_page("overview"))
    # 6 epochs of 10 s, and half an epoch to four for what comes after: 65 to 100 s
    assert "Single with another seed: training, 20 of 80 · 1–2 min left" in words
    assert "Demo: classes crossed with sources: waiting for a worker" in words


# -- Sources ----------------------------------------------------------------------------------------------------------


def test_sources_are_counted_by_label_and_shown(filled, open_page, seen):
    app = open_page("sources", name="phantom-b")
    table = app.dataframe[0].value.set_index("Source")
    assert table.loc["phantom-b", "By label"] == "NOR 300 · OBP 300 · OVP 300 · CVP 300"
    assert "Known confounders" in seen(app) and len(app.image) == 12


def _folder(tmp_path, labels=("NOR", "CVP")):
    for label in labels:
        (tmp_path / "mine" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "mine" / label / f"{number}.png").write_bytes(_png(60 + number))
    (tmp_path / "mine" / labels[0] / "broken.png").write_bytes(b"no image")
    return tmp_path / "mine"


def _add(app, name, path):
    app.text_input[0].input(name)
    app.text_input[1].input(str(path))
    return next(button for button in app.button if button.label == "Add").click().run()


def test_a_folder_becomes_a_source_with_what_was_left_out(empty, open_page, seen, tmp_path):
    app = _add(open_page("sources"), "mine", _folder(tmp_path))
    assert not app.error and sources.get(empty, "mine").path == str(tmp_path / "mine")
    assert app.selectbox(key="name").value == "mine"
    words = seen(app)
    assert "CVP 3" in words and "NOR 3" in words and "refused" in words


@pytest.mark.parametrize(
    ("name", "path", "sentence"),
    [
        ("", "/tmp", "needs a name and a folder"),
        ("x", "/no/such", "There is no folder"),
        ("phantom-a", None, "made-up"),
    ],
)
def test_a_source_that_cannot_be_added_is_one_sentence(name, path, sentence, empty, open_page, tmp_path):
    app = _add(open_page("sources"), name, path or _folder(tmp_path))
    assert [error for error in app.error if sentence in error.value.replace("\\", "")]
    assert all(source.path is None for source in sources.listing(empty))


def test_health_of_sources_is_checked_apart_and_shown(empty, open_page, seen, tmp_path):
    sources.add(empty, Source(name="mine", reader="folder", path=str(_folder(tmp_path))))
    app = open_page("sources")
    app.radio(key="view").set_value("health").run()
    assert app.query_params["view"] == "health" and app.multiselect(key="health_sources").value == ["mine"]
    assert "Check these sources" in [button.label for button in app.button]
    scans.check(empty, [sources.get(empty, "mine")])
    words = seen(app.run())
    assert not app.exception and "text file, whatever its name says" in words and "Check again" in words
    assert "Pictures that are there twice" in words  # the folder's files come once for each label
    app.multiselect(key="health_sources").set_value([]).run()
    assert [info for info in app.info if "Choose one source" in info.value]


# -- Findings ---------------------------------------------------------------------------------------------------------


def test_findings_come_gravest_first_with_their_evidence(filled, open_page, seen):
    app = open_page("findings", run=SINGLE.id)
    words = seen(app)
    assert words.index("Swapping the marker") < words.index("The source gives the class away")
    evidence = app.dataframe[0].value.set_index("what")["value"]
    assert evidence["share"] == "0.85 [0.73, 0.93]" and evidence["changed"] == "41"


# -- Predict ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch):
    """A network that says CVP of everything, in place of torch."""

    def predict(store, run, named):
        heat = np.eye(7, dtype=np.uint8) * 255
        said = {"classes": ("NCV", "CVP"), "probabilities": [0.25, 0.75], "predicted": "CVP", "explained": "CVP"}
        trust = SimpleNamespace(
            lungs=np.zeros((8, 8), bool), outside_lungs=0.7, without_lungs=np.array([0.4, 0.6]), without_markers=None,
            source="phantom-b", source_p=0.9, neighbours=(), cautions=("No lungs were found.",),
            lungs_by="CovAudit's U-Net",
        )  # fmt: skip
        return [SimpleNamespace(**said, heatmap=heat, view=image, trust=trust) for _, image in named]

    monkeypatch.setattr(prediction, "_predict", predict)


def test_an_upload_gets_probabilities_an_overlay_and_the_banner(filled, open_page, seen, network):
    app = open_page("predict", run=SINGLE.id)
    app.file_uploader[0].upload("film.png", _png(), "image/png").run()
    words = seen(app)
    assert "COVID-19 pneumonia" in words and "(predicted): 75.0 %" in words and "film.png" in words
    assert "outside the lungs (outlined; found by CovAudit's U-Net)" in words
    assert len(app.image) == 3  # image, overlay, colour bar
    assert "**Research use only" in app.warning[-1].value


def test_an_upload_is_explained_by_another_method_or_refused_in_words(filled, open_page, seen, network, monkeypatch):
    app = open_page("predict", run=SINGLE.id)
    app.file_uploader[0].upload("film.png", _png(), "image/png").run()
    monkeypatch.setattr(prediction, "explain_upload", lambda *asked: np.zeros((8, 8), np.uint8))
    app.selectbox(key="predict_method").set_value("occlusion").run()
    assert "Heat map of CVP is empty: no evidence" in seen(app)

    def refuse(store, run, pixels, target, method):
        raise CannotExplain(f"{method} of {target} says nothing of this network.")

    monkeypatch.setattr(prediction, "explain_upload", refuse)
    app.selectbox(key="predict_method").set_value("guided-backprop").run()
    assert app.error[0].value.endswith("of CVP says nothing of this network\\.") and "(predicted): 75.0 %" in seen(app)


def test_a_text_file_called_png_is_refused_in_a_sentence_and_the_others_go_on(filled, open_page, seen, network):
    app = open_page("predict", run=SINGLE.id)
    app.file_uploader[0].upload("notes.png", b"this is no image", "image/png")
    app.multiselect(key="examples").set_value([next(iter(prediction.EXAMPLES))]).run()
    assert len(app.error) == 1 and "Traceback" not in app.error[0].value
    assert "(predicted): 75.0 %" in seen(app)


# -- Compare ----------------------------------------------------------------------------------------------------------


def test_compare_shows_what_differs_and_the_paired_test(filled, open_page, seen):
    app = open_page("compare", runs=f"{SINGLE.id},{BALANCED.id}")
    fields = app.dataframe[0].value.set_index("Field")
    assert list(fields.loc["train[phantom-a, NOR]"]) == ["at most 240", "at most 60"] and "seed" not in fields.index
    assert "shared test images" in seen(app) and "exact McNemar" in seen(app)
    assert app.query_params["runs"] == f"{SINGLE.id},{BALANCED.id}"
    chosen = open_page("compare", runs=f"{SINGLE.id},{BALANCED.id}", metric="mcc")
    assert chosen.selectbox(key="metric").value == "mcc"
    assert chosen.dataframe[1].value["Run"].tolist() == chosen.dataframe[0].value.columns[1:].tolist()


def test_compare_of_one_run_asks_for_another(filled, open_page):
    app = open_page("compare", runs=SINGLE.id)
    assert app.info[0].value == "Choose one run more to compare it with."


def test_runs_without_a_shared_image_are_refused_with_a_sentence(filled, open_page):
    folder = results.folder(filled, runs.get(filled, BALANCED.id))
    table = results.predictions(filled, runs.get(filled, BALANCED.id))
    table.assign(image_id="other-" + table["image_id"]).to_parquet(folder / "predictions.parquet")
    app = open_page("compare", runs=f"{SINGLE.id},{BALANCED.id}")
    said = [info.value for info in app.info]
    assert any("share no test image" in words for words in said)
    assert any("No image was tested in all of these runs" in words for words in said)


def test_compare_offers_what_the_runs_have():
    single = [Estimate(split="internal", metric=name, value=0.5) for name in ("accuracy", "balanced_accuracy", "mcc")]
    labels = [Estimate(split="internal", metric=name, value=0.5) for name in ("hamming_loss", "exact_match")]
    assert metrics_of([single]) == ["balanced_accuracy", "accuracy", "mcc"]
    assert metrics_of([single, labels]) == ["balanced_accuracy", "exact_match", "hamming_loss", "accuracy", "mcc"]


def test_images_of_label_sets_are_set_side_by_side():
    def table(p_normal: float, p_virus: float, predicted: str) -> pd.DataFrame:
        row = {"source": "s", "image_id": "1", "class_name": "Virus", "predicted": predicted, "heatmap_row": 0}
        return pd.DataFrame([row | {"t_Normal": 0, "t_Virus": 1, "p_Normal": p_normal, "p_Virus": p_virus}])

    found = shared_images([table(0.1, 0.9, "Virus"), table(0.8, 0.9, "Normal+Virus")])
    # What is said rightly of the two labels: (0.9 + 0.9) / 2 and (0.2 + 0.9) / 2.
    assert found["spread"].iloc[0] == pytest.approx(0.35) and found["n_wrong"].iloc[0] == 1


# -- All --------------------------------------------------------------------------------------------------------------


def test_no_page_but_predict_loads_torch(filled):
    script = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
for name in ("sources", "compose", "jobs", "results", "heat_maps", "findings", "compare"):
    app.switch_page(f"pages/{name}.py").run()
    assert not app.exception and app.title, name
app.switch_page("pages/predict.py").run()
sys.exit(sorted({"torch", "timm", "captum"} & set(sys.modules)).__repr__() if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=".")
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_app_starts_workers_and_the_demo_in_an_empty_workspace_only(empty, filled, monkeypatch):
    from dataclasses import replace

    from covaudit.jobs import autostart, submit
    from covaudit.ui import state

    asked, started = [], []
    monkeypatch.setattr(autostart, "ensure_workers", lambda settings: started.append(settings))
    monkeypatch.setattr(submit, "submit", lambda store, experiment, demo: asked.append(experiment.id) or io)
    monkeypatch.setattr(io, "run_id", "x", raising=False)
    for store in (filled, empty):
        state._start(replace(store.settings, autostart=True))
        state._start(store.settings)  # autostart off: nothing
    assert asked == [SINGLE.id, BALANCED.id] and len(started) == 2


def test_other_images_of_a_source_can_be_drawn(empty, open_page, monkeypatch):
    from covaudit.ui.components import source_cards

    shown: list[str] = []
    monkeypatch.setattr(source_cards, "_show_sample", lambda source, row: shown.append(row["image_id"]))
    app = open_page("sources", name="phantom-b")
    first = shown[-12:]
    app.button(key="montage").click().run()
    second = shown[-12:]
    assert len(set(first)) == len(set(second)) == 12 and first != second
