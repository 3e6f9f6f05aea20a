"""Training and measuring the lung network: `python -m covaudit lungs train|measure FOLDER`.

FOLDER holds `cidc` with its lung masks, and `cxri`, `chestxray8`, `hannover` and `mgc` as far as there. Weights are
written as safetensors of half precision, with a record of what they were trained and measured on.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save
from torch.nn import functional

from covaudit.domain.seeds import derive_seed
from covaudit.explain.lung_examples import Example, annotated, is_held_out, made_up, oddities, unmarked
from covaudit.explain.lung_variation import vary
from covaudit.explain.lungs import prepare
from models.lung_unet import SIZE, LungUNet


class Phase(NamedTuple):
    """Steps, the peak of the learning rate, and of each batch how many are annotated films, phantoms, films without
    masks, and things that are no film."""

    steps: int
    lr: float
    batch: tuple[int, int, int, int]


PHASES = (Phase(700, 4e-3, (12, 4, 2, 4)), Phase(300, 2e-3, (18, 1, 2, 3)))
"""First lungs of every kind, then how annotators outline them."""


def train(
    root: Path,
    seed: int = 0,
    phases: Sequence[Phase] = PHASES,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> LungUNet:
    """A network trained on the patients that are not held out; no epoch is chosen by a score."""
    pools = _pools(root, seed)
    torch.manual_seed(derive_seed(seed, "lung network"))
    network = LungUNet()
    network.to(memory_format=torch.channels_last)
    done, steps = 0, sum(phase.steps for phase in phases)
    for number, phase in enumerate(phases):
        use = ("lung batches", number) if number else ("lung batches",)
        draws = np.random.default_rng(derive_seed(seed, *use))
        for loss in _learn(network.train(), pools, phase, draws):
            done += 1
            on_step(done, steps, loss)
    return network.eval()


def _learn(
    network: LungUNet, pools: Sequence[list[Example]], phase: Phase, draws: np.random.Generator
) -> Iterator[float]:
    """One phase, in place; yields the loss of each step."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=phase.lr, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, phase.lr, total_steps=phase.steps)
    for _ in range(phase.steps):
        batch = [
            vary(pool[draws.integers(len(pool))], SIZE, draws)
            for pool, n in zip(pools, phase.batch, strict=True)
            for _ in range(n if pool else 0)
        ]
        optimiser.zero_grad(set_to_none=True)
        loss = _loss(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        yield float(loss.detach())


def _pools(root: Path, seed: int) -> tuple[list[Example], ...]:
    films = [example for example in annotated(root / "cidc") if not is_held_out(example.patient)]
    others = unmarked(root, held_out=False)
    positive, negative = ([e for e in others if e.is_film is wanted] for wanted in (True, False))
    odd = oddities(300, seed)
    # Half of what is no film are CT slices where they are there.
    return films, made_up(600, seed), positive, negative[: len(odd)] + odd


def _loss(network: LungUNet, batch: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of both heads, and soft Dice; films without a mask count for the second head only."""
    images = prepare(np.stack([example.pixels for example in batch])).to(memory_format=torch.channels_last)
    lung, film = network(images)
    known = torch.tensor([example.mask is not None for example in batch])
    masks = np.stack([example.mask for example in batch if example.mask is not None]).astype(np.float32)
    truth, logits = torch.from_numpy(masks), lung[known]
    is_film = torch.tensor([float(example.is_film) for example in batch])
    overlap = (logits.sigmoid() * truth).sum(dim=(1, 2))
    dice = (2 * overlap + 1) / (logits.sigmoid().sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 1)
    has_lungs = truth.any(dim=2).any(dim=1)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    presence = functional.binary_cross_entropy_with_logits(film, is_film)
    loss: torch.Tensor = entropy + (1 - dice)[has_lungs].mean() + 0.3 * presence
    return loss


def weights_of(network: LungUNet) -> bytes:
    """The weights as safetensors of half precision."""
    return save({name: tensor.detach().half().contiguous() for name, tensor in network.state_dict().items()})


def describe(root: Path, seed: int, weights: bytes, seconds: float) -> dict[str, Any]:
    """What the network is, what it was trained on, and in how many seconds of processor time."""
    films = annotated(root / "cidc")
    trained = [film for film in films if not is_held_out(film.patient)]
    return {
        "network": "models/lung_unet.py: LungUNet, half precision",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "command": "python -m covaudit lungs train FOLDER OUT",
        "seed": seed,
        "processor_s": round(seconds),
        "phases": [phase._asdict() for phase in PHASES],
        "annotated films": {
            "source": "Cohen et al., covid-chestxray-dataset, with lung masks of V7 Labs: films that still are as the "
            "annotators saw them (covaudit/sources/readers/cidc_masks.py)",
            "trained": len(trained),
            "trained patients": len({film.patient for film in trained}),
            "held out": len(films) - len(trained),
            "rule": "3 of 10 patients, by the SHA-256 of the name (covaudit.explain.lung_examples.is_held_out)",
        },
        "others": "600 phantoms; films without masks of the collections cxri, chestxray8 and hannover and CT slices of "
        "mgc, 7 of 10 patients of each; photographs, noise, shapes and letters as what is no film",
    }
