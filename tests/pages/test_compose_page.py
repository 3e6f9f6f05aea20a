"""Compose: counts and warnings follow the grid, YAML goes out and in, Start queues once."""

import json

import pytest
import yaml
from sqlalchemy import update

from covaudit.domain.change import with_values
from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS, cut_down
from covaudit.domain.protocols import PROTOCOLS
from covaudit.domain.run import RunState
from covaudit.store import runs, schema
from covaudit.ui.text import duration_range

GRID_TRAIN, GRID_TEST = 0, 1


@pytest.fixture
def no_queue(monkeypatch):
    """The queue's engine is not under test here: submitting writes the run's row only."""
    from covaudit.jobs import submit

    def write_row(store, experiment, demo=False):
        with store.engine.begin() as connection:
            runs.create(connection, experiment, demo)
        return submit.Submitted(experiment.id, True)

    monkeypatch.setattr(submit, "submit", write_row)


def _edit(app, grid: int, cells: dict[int, dict[str, int | None]]):
    """Edit cells of a grid by row number, as a person would."""
    key = app.data_editor[grid].key
    app.session_state[key] = {"edited_rows": cells, "added_rows": [], "deleted_rows": []}
    return app.run()


def test_it_starts_from_the_demo_with_its_counts_and_its_warning(filled, open_page, seen):
    app = open_page("compose")
    words = seen(app)
    assert "480 images: NCV 240 · CVP 240" in words and "200 images: NCV 100 · CVP 100" in words
    warning = app.error[0].value
    assert "Cramér's V of class and source is 1.00" in warning and "only phantom\\-a" in warning


def test_counts_and_warnings_follow_the_grid(filled, open_page, seen):
    app = open_page("compose")
    app = _edit(app, GRID_TRAIN, {0: {"CVP": 240}, 1: {"NCV": 240}})
    assert "960 images: NCV 480 · CVP 480" in seen(app)
    assert not app.error and "Cramér's V of class and source is 0.00." in app.success[0].value


def test_the_test_mixture_is_judged_by_itself(filled, open_page):
    app = open_page("compose")
    app = _edit(app, GRID_TEST, {2: {"CVP": 100}, 4: {"CVP": None}})
    assert len(app.error) == 2 and "it cannot show the shortcut" in app.error[1].value


def test_a_class_that_is_drawn_nowhere_is_said_and_start_waits(filled, open_page):
    app = open_page("compose")
    app = _edit(app, GRID_TRAIN, {1: {"CVP": 0}})
    assert any("draws class CVP" in error.value for error in app.error)
    assert app.button(key="start").disabled


def test_asking_for_more_than_there_is_is_said(filled, open_page):
    app = open_page("compose")
    app = _edit(app, GRID_TRAIN, {1: {"CVP": 5000}})
    assert any("has 300 CVP" in warning.value for warning in app.warning)


def test_a_preset_replaces_all_fields(filled, open_page):
    app = open_page("compose")
    app.selectbox(key="compose_preset").select(PRESETS["demo-balanced"].name).run()
    assert app.text_input[0].value == PRESETS["demo-balanced"].name
    assert "Cramér's V of class and source is 0.00." in app.success[0].value


def test_a_preset_whose_sources_are_not_here_says_which(filled, open_page):
    app = open_page("compose")
    box = app.selectbox(key="compose_preset")
    box.select(next(option for option in box.options if option.startswith(PRESETS["cxr-single-cl2"].name))).run()
    assert any("cxri" in error.value for error in app.error) and app.button(key="start").disabled
    assert any("needs cxri, cidc" in option for option in box.options)
    assert any("sources get cxri" in warning.value.replace("\\", "") for warning in app.warning)
    assert not [button for button in app.button if button.key == "cut_down"]
    printed = next(one.value for one in app.dataframe if "Printed" in one.value.columns)
    assert printed["Printed"].tolist() == [5856, 500] and printed["Here"].tolist() == [0, 0]


def test_a_preset_is_cut_down_at_once(filled, open_page):
    app = open_page("compose")
    app.selectbox(key="compose_preset").select(PRESETS["demo-balanced"].name).run()
    app.button(key="cut_down").click().run()
    assert _shown(app) == cut_down(PRESETS["demo-balanced"], 128)
    assert any("300 images, 2 epochs." in one.value for one in app.markdown)  # 100 a class, 50 a line of the test


def test_weights_that_cannot_be_had_are_one_click_from_random_ones(filled, open_page, monkeypatch):
    monkeypatch.setattr("models.pretrained._is_reachable", lambda address: False)
    monkeypatch.setattr("models.pretrained._in_cache", lambda backbone: None)
    app = open_page("compose")
    asked = with_values(_shown(app), ["network=resnet18", "training.pretrained=imagenet", "name=Mine"])
    _by_label(app.text_area, "Paste YAML").input(asked.to_yaml()).run()
    app.button(key="use_yaml").click().run()
    assert app.button(key="start").disabled and any("are not present" in one.value for one in app.error)
    app.button(key="random_weights").click().run()
    assert not app.button(key="start").disabled
    assert _shown(app).training.pretrained == "none" and _shown(app).name == "Mine; changed: pretrained"


def test_another_task_keeps_what_it_can(filled, open_page):
    app = open_page("compose")
    task = next(box for box in app.selectbox if box.label.startswith("Task"))
    task.select(next(option for option in task.options if option.startswith("CL4"))).run()
    train = app.data_editor[GRID_TRAIN].value.set_index("Source")
    assert train.loc["phantom-a", "NOR"] == 240 and train.loc["phantom-b", "CVP"] == 240


def test_yaml_shown_is_the_experiment_and_yaml_pasted_is_taken_over(filled, open_page):
    app = open_page("compose")
    shown = next(code.value for code in app.code if "train:" in code.value)
    assert Experiment.from_yaml(shown) == PRESETS["demo-single"]
    changed = yaml.safe_load(shown) | {"name": "Pasted", "seed": 41}
    next(area for area in app.text_area if area.label == "Paste YAML").input(yaml.safe_dump(changed)).run()
    app.button(key="use_yaml").click().run()
    assert app.text_input[0].value == "Pasted"
    assert next(one for one in app.number_input if one.label == "Seed").value == 41


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "This is not YAML"),
        ("just words", "An experiment is a mapping"),
        ("{name: x, task: CL9, train: [{source: phantom-a, label: NOR}]}", "Unknown task"),
    ],
)
def test_bad_yaml_is_one_sentence_and_loses_nothing(text, sentence, filled, open_page):
    app = open_page("compose")
    next(area for area in app.text_area if area.label == "Paste YAML").input(text).run()
    app.button(key="use_yaml").click().run()
    assert any(sentence in error.value.replace("\\", "") for error in app.error)
    assert app.text_input[0].value == PRESETS["demo-single"].name


def test_duplicate_takes_over_the_run_that_the_address_names(filled, open_page):
    app = open_page("compose", copy=PRESETS["demo-balanced"].id)
    assert app.text_input[0].value == PRESETS["demo-balanced"].name and "copy" not in app.query_params


def test_an_edit_survives_leaving_the_page(filled, open_page, seen):
    app = open_page("compose")
    app.text_input[0].input("Edited").run()
    app = _edit(app, GRID_TRAIN, {0: {"CVP": 7}})
    app.switch_page("pages/findings.py").run()
    app.switch_page("pages/compose.py").run()
    assert app.text_input[0].value == "Edited" and "487 images" in seen(app)


def test_start_queues_the_experiment_and_goes_to_its_job(filled, open_page, no_queue, seen):
    app = open_page("compose")
    app.text_input[0].input("My own").run()
    app.button(key="start").click().run()
    newest = runs.listing(filled, limit=1)[0]
    assert (newest.name, newest.state) == ("My own", RunState.QUEUED)
    assert app.query_params["run"] == newest.id and "My own" in seen(app)


def _choose(app, label, option):
    box = next(one for one in app.selectbox if one.label == label)
    return box.select(next(one for one in box.options if one.startswith(option))).run()


def test_what_it_is_run_on_is_shown(filled, open_page):
    app = open_page("compose")
    frame = next(one.value for one in app.dataframe if "Split" in one.value.columns)
    assert frame["All"].tolist() == [288, 96, 96, 200] and frame["NCV"].tolist() == [144, 48, 48, 100]


def test_folds_and_caps_go_into_the_experiment(filled, open_page):
    app = open_page("compose")
    next(one for one in app.number_input if one.label == "Folds").set_value(4).run()
    next(one for one in app.number_input if one.label == "At most, class NCV").set_value(120).run()
    shown = Experiment.from_yaml(next(code.value for code in app.code if "train:" in code.value))
    assert shown.split.folds == 4 and shown.sampling.per_class == {"NCV": 120}
    frame = next(one.value for one in app.dataframe if "Split" in one.value.columns)
    assert frame["NCV"].tolist() == [60, 30, 30, 100]
    app = _choose(app, "Divide the train mixture", "Train and validation only")
    assert "independent" in next(code.value for code in app.code if "train:" in code.value)


def test_two_folds_are_told_of(filled, open_page):
    app = open_page("compose")
    next(one for one in app.number_input if one.label == "Folds").set_value(2).run()
    assert any("2 folds leave nothing" in error.value for error in app.error)
    assert app.button(key="start").disabled


def test_leakage_blocks_start_until_it_is_accepted_in_writing(filled, open_page, monkeypatch):
    """Each phantom patient has one image, so two are made one here."""
    from covaudit.jobs import submit

    real = submit.index_of

    def with_pairs(store, source):
        index = real(store, source)
        table = index.table.copy()
        table["patient"] = table["label"] + "-" + (table.index // 2).astype(str)
        return index._replace(table=table)

    monkeypatch.setattr(submit, "index_of", with_pairs)
    app = open_page("compose")
    assert not app.button(key="start").disabled
    app = _choose(app, "Divide the train mixture", "By image")
    assert any("patients are on more than one side" in error.value for error in app.error)
    assert app.button(key="start").disabled
    next(one for one in app.text_area if one.label == "Leakage accepted because").input("A negative control.").run()
    assert not app.button(key="start").disabled
    assert any("accepted in writing" in warning.value for warning in app.warning)


def _by_label(widgets, label: str):
    return next(one for one in widgets if one.label == label)


def _shown(app) -> Experiment:
    return Experiment.from_yaml(next(code.value for code in app.code if "train:" in code.value))


def test_a_protocol_fills_all_its_fields_and_says_what_was_changed(filled, open_page, seen):
    app = open_page("compose")
    _by_label(app.selectbox, "Protocol to start from").select("albert-c").run()
    assert _shown(app).training == PROTOCOLS["albert-c"].training and "All fields are those of albert-c" in seen(app)
    assert any("copies of each CVP film" in one.value for one in app.warning)
    _by_label(app.number_input, "Epochs").set_value(3).run()
    _by_label(app.number_input, "CLAHE clip (0: none)").set_value(2.0).run()
    training = _shown(app).training
    assert (training.epochs, training.preparation.clahe_clip, training.protocol) == (3, 2.0, "albert-c")
    assert "As albert-c, but for: epochs, preparation." in seen(app)


def test_every_protocol_passes_through_the_form_unchanged(filled, open_page):
    """What is pasted is what is started: no field is lost on the way through the widgets."""
    app = open_page("compose")
    for name in ("cvrnet-notebook", "albert-b"):
        changed = yaml.safe_load(_shown(app).to_yaml()) | {"training": PROTOCOLS[name].training.to_plain()}
        changed["training"]["pretrained"] = "none"
        changed["training"] |= {"group_dro": True, "balance_sources": True}
        changed["training"]["preparation"]["lungs"] = "crop"
        next(area for area in app.text_area if area.label == "Paste YAML").input(yaml.safe_dump(changed)).run()
        app.button(key="use_yaml").click().run()
        assert _shown(app) == Experiment.from_plain(changed)


def test_the_papers_way_to_divide_is_one_click_away(filled, open_page):
    app = open_page("compose")
    _by_label(app.selectbox, "Protocol to start from").select("cvrnet-paper").run()
    _by_label(app.button, "Divide as the paper did (paper, 5 folds)").click().run()
    assert (_shown(app).split.method, _shown(app).split.folds) == ("paper", 5)


def test_grey_levels_of_a_source_that_is_not_drawn_are_refused(filled, open_page):
    app = open_page("compose")
    _by_label(app.text_input, "Match grey levels to source").input("phantom-e").run()
    assert any("draws nothing from phantom\\-e" in one.value for one in app.error)


def test_what_it_will_take_is_said_before_the_start(filled, made, open_page, seen):
    # 480 images to train on and 200 to test on; the finished runs of these tests do not say what they took
    assert "680 images, 12 epochs. How long that takes is known once" in seen(open_page("compose", copy=made.single.id))


def test_what_it_will_take_is_told_from_a_run_like_it(filled, made, open_page, seen):
    then = {"seconds": 408.0, "counts": [{"n": 340}], "parameters": 232_000}
    with filled.engine.begin() as connection:
        connection.execute(update(schema.run).values(summary=json.dumps(then), digests="{}"))
    n_epochs = len(runs.epochs(filled, made.balanced.id))
    words = seen(open_page("compose", copy=made.single.id))
    middle = 408 / 340 / n_epochs * 680 * 12
    assert f"680 images, 12 epochs: about {duration_range(0.6 * middle, 1.6 * middle)} and 24 MB" in words
