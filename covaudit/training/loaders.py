"""Batches from the memory-mapped pixels: no worker processes, no decoding."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from covaudit.training.resident import release

# Grey levels are brought near zero mean and unit spread; one fixed pair, so that no statistic of the data leaks.
MEAN, SPREAD = 0.5, 0.25

Rows = NDArray[np.int64]


def take(pixels: NDArray[np.uint8], rows: Rows) -> NDArray[np.uint8]:
    """A copy of some rows; of a memory-mapped array nothing else stays resident, however long it is."""
    taken = np.ascontiguousarray(pixels[rows])
    release(pixels)
    return taken


def to_images(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Grey levels (N, H, W) in 0..255 as (N, 1, H, W) in [0, 1] on the device."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float().div_(255).unsqueeze_(1)


def normalise(images: Tensor) -> Tensor:
    """Images in [0, 1] as the networks take them."""
    return (images - MEAN).div_(SPREAD)


def balanced_rows(
    rows: Rows, label_sets: NDArray[np.int64] | None, sources: NDArray[np.int64] | None, seed: int
) -> Rows:
    """As many rows as came, drawn with replacement: within every label set each source is drawn equally often, and the
    label sets keep their shares."""
    if label_sets is None or sources is None:
        return rows
    labels, places = label_sets[rows], sources[rows]
    _, cell, sizes = np.unique(np.stack([labels, places]), axis=1, return_inverse=True, return_counts=True)
    _, label, totals = np.unique(labels, return_inverse=True, return_counts=True)
    n_sources = np.array([len(np.unique(places[label == one])) for one in range(len(totals))])
    chance = totals[label] / len(rows) / n_sources[label] / sizes[cell.ravel()]
    return np.random.default_rng(seed).choice(rows, len(rows), p=chance / chance.sum())


def batches(rows: Rows, size: int, seed: int | None = None) -> Iterator[Rows]:
    """Row numbers in batches; shuffled when a seed is given. A last batch of one is joined to the one before it, for
    batch norm cannot learn from a single image."""
    order = np.random.default_rng(seed).permutation(rows) if seed is not None else rows
    starts = list(range(0, len(order), size))
    if seed is not None and len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        yield order[start:end]
