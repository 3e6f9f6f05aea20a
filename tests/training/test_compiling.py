"""torch.compile changes what a training costs, not what it is; and where there is no compiler the log says so."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from covaudit.domain.training import Training
from covaudit.training.checkpoint import Checkpoint
from covaudit.training.intensity import feed
from covaudit.training.loop import fit

CPU = torch.device("cpu")
# Four steps an epoch: three whole batches, and one of the 12 images that are left.
PLAIN = Training(epochs=3, batch_size=16, lr=0.01)
ASKED = PLAIN.model_copy(update={"compile": True})

Weights = dict[str, torch.Tensor]


@pytest.fixture
def trace_only(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """torch.compile without a C++ compiler: what it traces runs as it is. The sizes of the batches it is given."""
    sizes, real = list[int](), torch.compile

    def compile(network: nn.Module, **options: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        traced = real(network, backend="eager", dynamic=options["dynamic"])

        def call(images: torch.Tensor) -> torch.Tensor:
            sizes.append(len(images))
            return traced(images)

        return call

    monkeypatch.setattr(torch, "compile", compile)
    return sizes


def check_same(one: nn.Module, other: nn.Module, atol: float) -> None:
    assert list(one.state_dict()) == list(other.state_dict())
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], atol=atol, rtol=0)


def test_the_same_training_from_a_checkpoint_with_the_networks_own_names(
    trace_only: list[int], tmp_path: Path, make_data: Any, make_network: Any
) -> None:
    """Traced, the network is the same to the last bit: after the trial, over epochs, and gone on from the first."""
    plain, traced, again = make_network(dropout=0.2), make_network(dropout=0.2), make_network(9, dropout=0.2)
    notes = list[str]()
    list(fit(feed(plain, "unit"), make_data(), PLAIN, 3, CPU))
    for record in fit(
        feed(traced, "unit"), make_data(), ASKED, 3, CPU,
        on_note=notes.append, on_checkpoint=lambda point: point.save(tmp_path) if point.epoch == 1 else None,
    ):  # fmt: skip
        assert record.epoch
    assert trace_only == [16] * (1 + 3 * 3), "one on trial, and whole batches alone"
    assert len(notes) == 2 and "compiled by torch.compile in" in notes[1]
    found = Checkpoint.load(tmp_path)
    assert found is not None and {f"network.{name}" for name in plain.state_dict()} < found.tensors.keys()
    list(fit(feed(again, "unit"), make_data(), ASKED, 3, CPU, resume=found))
    check_same(traced, plain, 0)
    check_same(again, plain, 0)


def test_where_it_cannot_be_compiled_it_is_trained_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, make_data: Any, make_network: Any
) -> None:
    def refuse(images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("No working C++ compiler found\nin a long trace")

    monkeypatch.setattr(torch, "compile", lambda network, **options: refuse)
    plain, asked, notes = make_network(), make_network(), list[str]()
    list(fit(plain, make_data(), PLAIN, 3, CPU))
    list(fit(asked, make_data(), ASKED, 3, CPU, on_note=notes.append))
    assert notes[1:] == [
        "The network is trained without torch.compile, which failed here: No working C++ compiler found"
    ]
    check_same(asked, plain, 0)


@pytest.mark.slow
def test_compiled_it_learns_the_same_and_repeats_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_data: Any, make_network: Any
) -> None:
    """Really compiled, where there is a compiler: bit for bit from a checkpoint, and nothing is left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = str(tmp_path / "as it was")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", before)
    plain, whole, again = make_network(dropout=0.2), make_network(dropout=0.2), make_network(9, dropout=0.2)
    notes, points = list[str](), list[Checkpoint]()
    list(fit(plain, make_data(), PLAIN, 3, CPU))
    records = list(fit(whole, make_data(), ASKED, 3, CPU, on_note=notes.append, on_checkpoint=points.append))
    list(fit(again, make_data(), ASKED, 3, CPU, resume=points[0]))
    if "without torch.compile" in notes[1]:
        pytest.skip(notes[1])
    check_same(again, whole, 0)
    assert records[-1].val_balanced_accuracy > 0.9
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == before
    # torch makes the folder that it was told of when it is imported, and leaves it empty.
    assert [path for path in tmp_path.rglob("*") if path != Path(before)] == []


@pytest.mark.slow
def test_a_machine_without_a_compiler(monkeypatch: pytest.MonkeyPatch, make_data: Any, make_network: Any) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    plain, asked, notes = make_network(), make_network(), list[str]()
    list(fit(plain, make_data(), PLAIN, 3, CPU))
    list(fit(asked, make_data(), ASKED, 3, CPU, on_note=notes.append))
    assert len(notes) == 2 and "trained without torch.compile" in notes[1]
    check_same(asked, plain, 0)
