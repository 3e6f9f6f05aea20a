"""The experiments in `examples/` can be read; those named after a preset are that preset."""

from pathlib import Path

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import OPEN, PRESETS
from covaudit.domain.protocols import changed_fields

FILES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
SMALL = [path for path in FILES if path.stem.endswith("-small")]
EXAMPLES = [path for path in FILES if path not in SMALL]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_can_be_read_and_are_the_presets_that_they_are_named_after(path: Path) -> None:
    experiment = Experiment.from_yaml(path.read_text())
    assert experiment == PRESETS.get(path.stem, experiment)


def test_there_is_an_example_of_each_preset_on_open_sources() -> None:
    assert {name for name in PRESETS if name.endswith(OPEN)} <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small_examples_say_in_what_they_are_smaller_than_their_protocol(path: Path) -> None:
    training = Experiment.from_yaml(path.read_text()).training
    assert training.protocol in path.stem
    assert set(changed_fields(training)) <= {"image_size", "epochs", "pretrained"}
