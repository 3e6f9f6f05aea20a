"""Faster number formats: only where they pay, and with the same outcome."""

from typing import Any

import pytest
import torch
from torch import nn

from covaudit.domain.training import Training
from covaudit.training import learner, loop
from covaudit.training.pace import Pace, pace_of

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_tile": True}, Pace(torch.bfloat16)),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True}, Pace()),
        # Images have one channel, and with AVX-512 channels_last crashes on them.
        ({"avx2": True}, Pace(is_channels_last=True)),
        ({}, Pace()),
    ],
)
def test_each_processor_gets_what_pays_on_it(
    able: dict[str, bool], expected: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert pace_of(nn.Linear(1, 1), CPU) == expected
    assert pace_of(type("EfficientNet", (nn.Module,), {})(), CPU).autocast is None


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((9, 0), Pace(torch.bfloat16, True)), ((7, 5), Pace(torch.float16, True)), ((6, 1), Pace())],
)
def test_each_gpu_gets_the_format_it_is_fast_in(
    capability: tuple[int, int], expected: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert pace_of(nn.Linear(1, 1), torch.device("cuda:0")) == expected


@pytest.mark.parametrize("pace", [Pace(torch.bfloat16), Pace(torch.float16)])
def test_it_learns_in_every_format_and_keeps_float32_weights(
    pace: Pace, make_data: Any, make_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "pace_of", lambda network, device: pace)
    network, seen = make_network(), set()
    network[0].register_forward_hook(lambda module, inputs, output: seen.add((module.training, output.dtype)))
    training = Training(epochs=6, batch_size=16, lr=0.01)
    records = list(loop.fit(network, make_data(), training, seed=3, device=CPU))
    assert max(record.val_balanced_accuracy for record in records) == 1.0
    assert (True, pace.autocast) in seen, "it did compute in that format"
    assert (False, torch.float32) in seen, "and is judged in float32"
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}


def test_float16_does_not_lose_small_gradients() -> None:
    scaler = Pace(torch.float16).build_scaler(CPU)
    assert scaler.is_enabled()
    assert not Pace(torch.bfloat16).build_scaler(CPU).is_enabled()
    assert not Pace().build_scaler(CPU).is_enabled()
