"""Experiments: YAML in and out, identity, and errors that say what to do."""

import hashlib
import json

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import DEMO, PRESETS
from covaudit.errors import CovauditError

YAML = """
name: Small
task: CL2
train:
- {source: cxri, label: NCV, limit: 10}
- {source: cidc, label: CVP}
"""


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_yaml(name: str) -> None:
    assert Experiment.from_yaml(PRESETS[name].to_yaml()) == PRESETS[name]


def test_the_demo_presets_share_test_and_training_and_differ_in_the_mixture() -> None:
    single, balanced = (PRESETS[name] for name in DEMO)
    assert (single.test, single.training, single.seed) == (balanced.test, balanced.training, balanced.seed)
    assert single.train != balanced.train


def test_a_task_of_ones_own_survives_yaml() -> None:
    experiment = Experiment.from_yaml(
        "name: TB\ntask: {name: tb, classes: [healthy, TB]}\n"
        "train: [{source: s, label: healthy}, {source: s, label: TB}]\n"
    )
    assert Experiment.from_yaml(experiment.to_yaml()) == experiment


def test_the_same_question_has_the_same_id_however_it_is_written() -> None:
    spelled_out = Experiment.from_yaml(YAML + "network: resnet18\nseed: 0\n")
    assert Experiment.from_yaml(YAML).id == spelled_out.id
    assert Experiment.from_yaml(YAML + "seed: 1\n").id != spelled_out.id


def test_ids_are_those_of_before_the_fields_that_came_later() -> None:
    assert PRESETS["demo-single"].id == "f7a8e9ef69fb" and PRESETS["demo-balanced"].id == "80485c441588"
    plain = Experiment.from_yaml(YAML)
    for more in ("split: {folds: 1}\n", 'acknowledged: ""\n'):
        assert Experiment.from_yaml(YAML + more).id == plain.id
    for more in ("split: {folds: 5}\n", "acknowledged: They are twins.\n"):
        changed = Experiment.from_yaml(YAML + more)
        assert changed.id != plain.id and Experiment.from_yaml(changed.to_yaml()) == changed


def test_folds_are_counted_by_the_split_or_by_the_sources() -> None:
    assert Experiment.from_yaml(YAML).n_folds == 1
    assert Experiment.from_yaml(YAML + "split: {folds: 7}\n").n_folds == 7
    each = Experiment.from_yaml(YAML + "split: {method: leave-one-source-out}\n")
    assert (each.n_folds, each.held_out(0), each.held_out(1)) == (2, "cxri", "cidc")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (YAML.replace("CL2", "CL9"), "Unknown task 'CL9'. Allowed: CL2, CL3, CL4"),
        (YAML.replace("CVP", "COVID"), "Unknown class 'COVID'. Allowed: CVP, NCV"),
        (YAML + "epoch: 4\n", "epoch: Extra inputs are not permitted (came: 4)"),
        (YAML.replace("10", "-1"), "train.0.limit: Input should be greater than or equal to 1 (came: -1)"),
        (YAML.replace("cidc, label: CVP", "cidc, label: NOR"), "no component of the train mixture draws class CVP"),
        (YAML + "training: {epochs: many}\n", "training.epochs: Input should be a valid integer"),
        (YAML + "split: {folds: 2}\n", "2 folds leave nothing to train on"),
        (YAML + "split: {method: paper, folds: 3}\n", "the papers' split has 1 or 5 folds, not 3"),
        (YAML + "split: {method: independent}\n", "give a test mixture from other sources"),
        (
            YAML + "split: {method: independent}\ntest: [{source: cidc, label: CVP}]\n",
            "tests on other sources only; cidc is in both",
        ),
        (
            YAML + "split: {method: leave-one-source-out}\ntest: [{source: other, label: CVP}]\n",
            "takes its test from the train mixture",
        ),
        (YAML + "training: {preparation: {match_source: mgc}}\n", "the train mixture draws nothing from 'mgc'"),
        (YAML + "training: {preparation: {lungs: half}}\n", "training.preparation.lungs: Input should be"),
        ("train: [", "This is not YAML near line"),
        ("- 1", "An experiment is a mapping with name, task and train; this is list."),
        ("name: x\ntask: CL2\ntrain: []\n", "the train mixture is empty"),
        ("!!python/object/apply:os.system ['true']", "This is not YAML"),
    ],
)
def test_a_wrong_experiment_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(CovauditError) as raised:
        Experiment.from_yaml(text)
    assert sentence in str(raised.value)
    assert "Traceback" not in str(raised.value)
    assert "pydantic" not in str(raised.value)


def test_every_class_of_a_multi_label_task_must_be_drawn() -> None:
    drawn = (
        "name: x\ntask: ML5\ntrain:\n- {source: s, label: NOR}\n- {source: s, label: OBP}\n- {source: s, label: CVP}\n"
    )
    experiment = Experiment.from_yaml(drawn)
    assert Experiment.from_yaml(experiment.to_yaml()) == experiment
    with pytest.raises(CovauditError, match="draws class Normal;"):
        Experiment.from_yaml(drawn.replace("label: NOR", "label: OVP"))
    with pytest.raises(CovauditError, match=r"Unknown class 'COVID'. Allowed: CVP, NOR, OBP, OVP"):
        Experiment.from_yaml(drawn.replace("label: CVP", "label: COVID"))


def test_an_experiment_from_before_the_protocols_is_read_and_keeps_its_id() -> None:
    """As the first release wrote it; its id was noted then."""
    plain = {
        "name": "Old", "task": {"name": "CL2", "classes": ["NCV", "CVP"]}, "test": [], "network": "resnet18",
        "train": [{"source": "a", "label": "NCV", "limit": None}, {"source": "b", "label": "CVP", "limit": None}],
        "split": {"method": "patient", "val": 0.2, "internal": 0.2},
        "training": {"image_size": 128, "epochs": 8, "batch_size": 32, "lr": 0.001, "weight_decay": 0.01,
                     "class_weights": "minority", "augment": True, "pretrained": "none"},
        "explanation": {"method": "hires-cam"}, "seed": 0, "notes": "",
    }  # fmt: skip
    experiment = Experiment.from_plain(plain)
    assert (experiment.training.optimiser, experiment.training.schedule) == ("adamw", "one-cycle")
    written = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert experiment.id == hashlib.sha256(written.encode()).hexdigest()[:12]
