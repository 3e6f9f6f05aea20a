"""A training that stops and goes on ends with the same weights, to the last bit; a damaged checkpoint is found."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from covaudit.domain.training import Augmentation, EarlyStopping, Plateau, Training
from covaudit.errors import JobFailed
from covaudit.training import learner
from covaudit.training.checkpoint import Checkpoint
from covaudit.training.loop import fit
from covaudit.training.pace import Pace

CPU = torch.device("cpu")
FAST = Training(epochs=5, batch_size=16, lr=0.01)
KERAS = Training(
    epochs=5, batch_size=16, lr=0.01, optimiser="adam", amsgrad=True, schedule="plateau", keep="last", passes=2,
    plateau=Plateau(patience=1, min_delta=1.0), stopping=EarlyStopping(patience=4, min_delta=1.0),
    augmentation=Augmentation(horizontal_flip=0.5, shear=2),
)  # fmt: skip
ADAMAX = Training(epochs=5, batch_size=16, lr=0.01, optimiser="adamax", schedule="constant", group_dro=True)

CHILD = """
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import torch
from covaudit.domain.training import Training
from covaudit.training.loop import fit

spec = spec_from_file_location("shared", {shared!r})
shared = module_from_spec(spec)
spec.loader.exec_module(shared)
torch.set_num_threads({threads})

def on_step(step, steps):
    print(step, flush=True)
    if step == 10:
        sys.stdin.read()

training = Training.model_validate_json({training!r})
list(fit(shared.make_network(dropout=0.2), shared.make_data(), training, 3, torch.device("cpu"), on_step,
         on_checkpoint=lambda point: point.save(Path({folder!r}))))
"""


@pytest.mark.parametrize("training", [FAST, KERAS, ADAMAX], ids=["fast", "keras", "adamax"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_going_on_from_any_epoch_gives_the_same_weights(
    training: Training, stop_after: int, tmp_path: Path, same_weights: Any, make_data: Any, make_network: Any
) -> None:
    whole = make_network(dropout=0.2)
    expected = list(fit(whole, make_data(), training, 3, CPU))
    first = make_network(dropout=0.2)
    for record in fit(first, make_data(), training, 3, CPU, on_checkpoint=lambda point: point.save(tmp_path)):
        if record.epoch == stop_after:
            break
    again = make_network(seed=99, dropout=0.2)
    torch.rand(7)  # another place of the global stream
    found = list(fit(again, make_data(), training, 3, CPU, resume=Checkpoint.load(tmp_path)))
    same_weights(whole, again)
    ignored = {"seconds"}
    assert [r.model_dump(exclude=ignored) for r in found] == [r.model_dump(exclude=ignored) for r in expected]


@pytest.mark.parametrize("training", [FAST, KERAS], ids=["fast", "keras"])
def test_going_on_in_channels_last_gives_the_same_weights(
    training: Training, same_weights: Any, make_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights do not lie in memory as a file has them, and the optimiser's moments must lie as they do."""
    monkeypatch.setattr(learner, "pace_of", lambda network, device: Pace(is_channels_last=True))

    def make_deep(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(600, 2))

    whole, again, points = make_deep(0), make_deep(9), list[Checkpoint]()
    list(fit(whole, make_data(), training, 3, CPU, on_checkpoint=points.append))
    list(fit(again, make_data(), training, 3, CPU, resume=replace(points[1],
        tensors={name: tensor.contiguous() for name, tensor in points[1].tensors.items()}
    )))  # fmt: skip
    assert not whole[2].weight.is_contiguous()
    same_weights(whole, again)


def test_a_process_killed_in_mid_epoch_goes_on_to_the_same_weights(
    tmp_path: Path, same_weights: Any, make_data: Any, make_network: Any
) -> None:
    """kill -9 in the third epoch, between two steps: four steps are an epoch."""
    code = CHILD.format(
        shared=str(Path(__file__).with_name("conftest.py")), threads=torch.get_num_threads(),
        training=FAST.model_dump_json(), folder=str(tmp_path),
    )  # fmt: skip
    pipe, root = subprocess.PIPE, Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, cwd=root) as killed:
        assert killed.stdout is not None
        while killed.stdout.readline().strip() != b"10":
            assert killed.poll() is None
        os.kill(killed.pid, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    found = Checkpoint.load(tmp_path)
    assert found is not None and found.epoch == 2
    whole, again, steps = make_network(dropout=0.2), make_network(seed=99, dropout=0.2), list[int]()
    list(fit(whole, make_data(), FAST, 3, CPU))
    list(fit(again, make_data(), FAST, 3, CPU, lambda step, _: steps.append(step), resume=found))
    assert steps[0] == 9  # the third epoch from its beginning
    same_weights(whole, again)


@pytest.fixture
def saved(tmp_path: Path, make_data: Any, make_network: Any) -> Path:
    """A folder with the checkpoints of three epochs."""
    training = FAST.model_copy(update={"epochs": 3})
    list(fit(make_network(), make_data(), training, 3, CPU, on_checkpoint=lambda point: point.save(tmp_path)))
    return tmp_path


def test_only_the_last_two_are_kept(saved: Path) -> None:
    assert sorted(place.name for place in saved.iterdir()) == [
        "epoch-0002.json", "epoch-0002.safetensors", "epoch-0003.json", "epoch-0003.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_checkpoint_is_found_and_the_one_before_is_used(suffix: str, damage: str, saved: Path) -> None:
    place = saved / f"epoch-0003{suffix}"
    content = place.read_bytes()
    if damage == "gone":
        place.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        place.write_bytes({"cut": content[:middle], "flip": flipped, "empty": b""}[damage])
    found = Checkpoint.load(saved)
    assert found is not None and found.epoch == 2


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert Checkpoint.load(tmp_path) is None and Checkpoint.load(tmp_path / "gone") is None


@pytest.mark.parametrize("other", [{"lr": 0.02}, {"seed": 4}, {"n": 100}])
def test_a_checkpoint_of_another_training_is_not_used(
    other: dict[str, float], saved: Path, same_weights: Any, make_data: Any, make_network: Any
) -> None:
    training = FAST.model_copy(update={"epochs": 3, **{k: v for k, v in other.items() if k == "lr"}})
    seed, n = int(other.get("seed", 3)), int(other.get("n", 120))
    one, two = make_network(), make_network()
    list(fit(one, make_data(n), training, seed, CPU))
    records = list(fit(two, make_data(n), training, seed, CPU, resume=Checkpoint.load(saved)))
    same_weights(one, two)
    assert [record.epoch for record in records] == [1, 2, 3]


def test_divergence_stops_at_the_first_bad_step_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, make_data: Any, make_network: Any
) -> None:
    """From the third epoch on the network answers infinity."""
    network, steps = make_network(), []

    def break_down(step: int, steps_in_all: int) -> None:
        steps.append(step)
        if step == 9:  # four steps an epoch
            with torch.no_grad():
                network[0].weight.fill_(float("inf"))

    with pytest.raises(JobFailed, match=r"in epoch 3, step 2\. .*The weights after epoch 2 are kept"):
        list(fit(network, make_data(), FAST, 3, CPU, break_down, on_checkpoint=lambda point: point.save(tmp_path)))
    found = Checkpoint.load(tmp_path)
    assert steps[-1] == 9 and found is not None and found.epoch == 2
    assert all(bool(torch.isfinite(tensor).all()) for name, tensor in found.tensors.items() if "network" in name)
