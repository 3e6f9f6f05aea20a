"""Fields changed by their paths, and presets cut down."""

import pytest

from covaudit.domain.change import with_values
from covaudit.domain.presets import PRESETS, cut_down
from covaudit.errors import BadExperiment, CovauditError, UnknownName

PRINTED = PRESETS["cxr-independent-cl2"]


def test_fields_are_changed_by_their_paths_and_the_name_tells_it():
    changes = ["training.pretrained=none", "training.lr=1e-3", "training.stopping=null", "test.0.limit=9"]
    changed = with_values(PRINTED, [*changes, "sampling.per_class.CVP=7"])
    assert (changed.training.pretrained, changed.training.lr, changed.training.stopping) == ("none", 0.001, None)
    assert [one.limit for one in changed.test.components()] == [9, 500]
    assert changed.sampling.per_class == {"NCV": 6958, "CVP": 7}
    assert changed.name == "CXR-Independent-CL2, as printed; changed: test, sampling, lr, stopping, pretrai…"
    twice = with_values(with_values(PRINTED, ["seed=1"]), ["seed=2", "network=resnet18"])
    assert twice.name == "CXR-Independent-CL2, as printed; changed: seed, network"
    assert with_values(PRINTED, ["name=Mine", "seed=3"]).name == "Mine" and with_values(PRINTED, []) == PRINTED


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ("training.epochs", BadExperiment, "Write it as FIELD=VALUE"),
        ("training.epoch=3", UnknownName, "Unknown field 'epoch'. Allowed: .*amsgrad,.* came in 'training.epoch'"),
        ("training.epochs.x=3", BadExperiment, "what comes before 'x' is a single value"),
        ("train.9.limit=3", UnknownName, "Unknown field '9'. Allowed: 0, 1, 2, 3"),
        ("training.epochs=0", BadExperiment, "training.epochs: .*greater than or equal to 1"),
        ("training.epochs=[", BadExperiment, "is not YAML"),
        ("sampling.per_class.XYZ=3", UnknownName, "Unknown class 'XYZ'. Allowed: CVP, NCV"),
    ],
)
def test_a_change_that_cannot_be_made_is_a_sentence(change, kind, words):
    with pytest.raises(CovauditError, match=words) as caught:
        with_values(PRINTED, [change])
    assert type(caught.value) is kind


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_cut_down(name):
    whole, small = PRESETS[name], cut_down(PRESETS[name], 64)
    assert small.training.pretrained == "none" and (small.training.epochs, small.training.image_size) == (2, 64)
    assert set(small.sampling.per_class.values()) == {100} and small.name.endswith("; cut down")
    assert all(one.limit is not None and one.limit <= 50 for one in small.test.components())
    assert small.split == whole.split.model_copy(update={"folds": 1})
    assert (small.train, small.network, small.task) == (whole.train, whole.network, whole.task)
