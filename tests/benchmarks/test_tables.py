"""The benchmarks measure what they say and keep it for the README."""

from pathlib import Path

import pytest

from benchmarks import checks, loader, table, training
from benchmarks.training import Setting


def test_rows_are_kept_and_put_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    monkeypatch.setattr(table, "_KEPT", tmp_path / "build" / "kept.json")
    monkeypatch.setattr(table, "_README", readme)
    table.keep("loader", "10,000 images", ("655 MB", "5 MB"))
    table.keep("loader", "1,000 images", ("66 MB", "9 MB"))
    table.keep("loader", "1,000 images", ("66 MB", "4 MB"))
    table.write_readme([table.markdown(loader.TABLE, table.read_kept()["loader"])])
    lines = readme.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert "old" not in lines
    # In the table's order, each row once, the last figures.
    assert lines[-4:-2] == ["| 1,000 images | 66 MB | 4 MB |", "| 10,000 images | 655 MB | 5 MB |"]


def test_the_three_loops_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(training._SETTINGS, "tiny", Setting("darkcovidnet", 32, 4, 8, 3))
    ours, limit, plain, of_limit, against_plain = map(float, training.measure("tiny", is_quick=True))
    assert min(ours, limit, plain) > 0
    # Decoding a film of 1024 px costs far more than a step of so small a network on 32 px.
    assert against_plain > 1.2
    assert of_limit < 1.5


@pytest.mark.slow
def test_all_checks_together_cost_less_than_an_epoch() -> None:
    """In processor time of the same process, so that a busy machine slows both. 288 images are trained."""
    cost = checks.cost_of(checks.Setting("resnet18", 128, 16))
    assert cost.trained == 288
    assert cost.predicted < 2 * cost.trained  # a prediction costs about a third of a training step
    assert sum(cost.checks.values()) < cost.epoch, cost
