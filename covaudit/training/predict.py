"""Scores of a network for the rows of a pixel array."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.training.loaders import Rows, batches, normalise, to_images


def predict_logits(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    rows: Rows,
    device: torch.device,
    batch_size: int = 64,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float32]:
    """Logits (len(rows), K) of grey levels (N, S, S), in evaluation mode and without gradients."""
    network.eval()
    found, done = [], 0
    with torch.inference_mode():
        for chosen in batches(rows, batch_size):
            found.append(network(normalise(to_images(pixels[chosen], device))).float().cpu().numpy())
            done += len(chosen)
            on_progress(done, len(rows))
    return np.concatenate(found)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the last axis: (N, K) in [0, 1]."""
    return torch.softmax(torch.from_numpy(logits), dim=-1).numpy()
