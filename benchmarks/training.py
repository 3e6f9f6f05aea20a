"""Images per second of an epoch of training: ours, the limit, and the loop that most papers publish.

All three run in turn in one process with one thread, on the same network, batches and optimiser, and are measured in
processor time from the second epoch on, so that what else the machine does counts little and their ratios less.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.table import Row, Table
from covaudit.domain.training import Training
from covaudit.training.learner import TrainingData
from covaudit.training.loop import fit
from covaudit.training.pace import Pace, pace_of
from models.registry import build_network

CPU = torch.device("cpu")
_FILM = 1024  # pixels a side of the files that the plain loop decodes


class Setting(NamedTuple):
    network: str
    size: int
    batch: int
    images: int
    repetitions: int


_SETTINGS = {
    "Efficient, 128 px": Setting("efficient", 128, 32, 288, 5),  # a light network: what the data cost is seen best
    "ResNet-18, 128 px": Setting("resnet18", 128, 16, 64, 5),
    "ResNet-50, 224 px": Setting("resnet50", 224, 8, 16, 3),
    "CVR-Net, 224 px": Setting("cvrnet", 224, 8, 8, 3),
    "Efficient, 512 px": Setting("efficient", 512, 10, 300, 3),
}


def measure(row: str, is_quick: bool) -> Row:
    """Images a second of ours, the limit and the plain loop, and ours against both: medians over epochs."""
    setting = _SETTINGS[row]
    if is_quick:
        setting = setting._replace(images=2 * setting.batch, repetitions=2)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        loops = {"ours": _ours(setting, Path(folder)), "limit": _limit(setting), "plain": _plain(setting, Path(folder))}
        for loop in loops.values():
            next(loop)
        rates: dict[str, list[float]] = {name: [] for name in loops}
        for repetition in range(setting.repetitions):
            # The order is turned round each time: the first of three would be the coolest.
            for name in list(loops)[:: 1 if repetition % 2 else -1]:
                rates[name].append(next(loops[name]))
    ours, limit, plain = (statistics.median(rates[name]) for name in loops)
    pairs = zip(rates["ours"], rates["limit"], rates["plain"], strict=True)
    ratios = [(mine / best, mine / other) for mine, best, other in pairs]
    of_limit, against_plain = (statistics.median(column) for column in zip(*ratios, strict=True))
    return f"{ours:.2f}", f"{limit:.2f}", f"{plain:.2f}", f"{of_limit:.2f}", f"{against_plain:.2f}"


def _ours(setting: Setting, folder: Path) -> Iterator[float]:
    """An epoch's training steps through `fit`, from memory-mapped pixels, augmented."""
    n, size = setting.images, setting.size
    draws = np.random.default_rng(0)
    np.save(folder / "pixels.npy", draws.integers(0, 255, (n + 2, size, size), dtype=np.uint8))
    pixels, rows = np.load(folder / "pixels.npy", mmap_mode="r"), np.arange(n + 2)
    data = TrainingData(pixels, rows % 2, rows[:n], rows[n:], 2)
    training = Training(image_size=size, epochs=setting.repetitions + 1, batch_size=setting.batch, lr=1e-4)
    stamps: list[float] = []
    network = build_network(setting.network, 2, image_size=size)
    begun = time.process_time()
    for _ in fit(network, data, training, 0, CPU, lambda step, steps: stamps.append(time.process_time())):
        # To the end of the last step: the validation is no part of it.
        yield n / (stamps[-1] - begun)
        begun = time.process_time()


def _limit(setting: Setting) -> Iterator[float]:
    """Forward, backward and step on random tensors that are there already, in our number format and layout."""
    images = torch.randn(setting.batch, 1, setting.size, setting.size)
    targets = torch.arange(setting.batch) % 2
    step = _stepper(setting, is_fast=True)
    while True:
        begun = time.process_time()
        for _ in range(setting.images // setting.batch):
            step(images, targets)
        yield setting.images / (time.process_time() - begun)


def _plain(setting: Setting, folder: Path) -> Iterator[float]:
    """A data set that opens each file with Pillow and transforms it, a DataLoader, and the usual loop."""
    films = _Films(folder, setting)
    step = _stepper(setting, is_fast=False)
    while True:
        begun = time.process_time()
        for images, targets in DataLoader(films, setting.batch, shuffle=True):
            step(images, targets)
        yield setting.images / (time.process_time() - begun)


class _Films(Dataset[tuple[Tensor, int]]):
    """PNG files of 1024 pixels, a few of them under many numbers."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.n = setting.images
        self.files = [folder / f"{number}.png" for number in range(8)]
        draws = np.random.default_rng(1)
        for file in self.files:
            # Smooth with a little noise, as films are: pure noise would take longer to decode.
            coarse = Image.fromarray(draws.integers(0, 255, (32, 32), dtype=np.uint8))
            smooth = np.asarray(coarse.resize((_FILM, _FILM), Image.Resampling.BICUBIC)).astype(int)
            noisy = smooth + draws.integers(-3, 4, (_FILM, _FILM))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file)
        self.transform = transforms.Compose(
            [
                transforms.Resize((setting.size, setting.size)),
                transforms.RandomAffine(7, (0.05, 0.05), (0.92, 1.08)),
                transforms.ColorJitter(0.1, 0.2),
                transforms.ToTensor(),
                transforms.Normalize(0.5, 0.25),
            ]
        )

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        film: Tensor = self.transform(Image.open(self.files[number % len(self.files)]).convert("L"))
        return film, number % 2


def _stepper(setting: Setting, is_fast: bool) -> Callable[[Tensor, Tensor], float]:
    """A step of the network as it comes, or in the format, layout and with the optimiser that a run chooses."""
    network: nn.Module = build_network(setting.network, 2, image_size=setting.size).train()
    pace = pace_of(network, CPU) if is_fast else Pace()
    pace.lay_out_network(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=is_fast)

    def step(images: Tensor, targets: Tensor) -> float:
        optimiser.zero_grad(set_to_none=True)
        with pace.computing(CPU):
            logits = network(pace.lay_out(images)).float()
        loss = functional.cross_entropy(logits, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    return step


TABLE = Table(
    title="Training",
    how="Images a second of processor time with one thread, from the second epoch on: one epoch as a run trains it; "
    "the limit, forward and backward and step on random tensors in the same number format, layout and optimiser; and a "
    "plain loop in float32 that decodes PNG files of 1024 px with Pillow and transforms them one by one in a "
    "DataLoader. The three taken in turn; medians of five epochs at 128 px, of three at other sizes.",
    header=("network", "CovAudit", "limit", "plain loop", "of the limit", "against the plain loop"),
    rows=tuple(_SETTINGS),
    measure=measure,
)
