"""The experiments in `examples/` are those of the presets."""

from pathlib import Path

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_the_presets(path: Path) -> None:
    assert Experiment.from_yaml(path.read_text()) == PRESETS[path.stem]


def test_there_is_an_example_of_each_preset_on_real_sources() -> None:
    assert {path.stem for path in EXAMPLES} == {name for name in PRESETS if not name.startswith("demo")}
