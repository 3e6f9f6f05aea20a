"""Scores of a network for the rows of a pixel array."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.domain.task import join
from covaudit.training.loaders import Rows, batches, normalise, take, to_images


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
            found.append(network(normalise(to_images(take(pixels, chosen), device))).float().cpu().numpy())
            done += len(chosen)
            on_progress(done, len(rows))
    return np.concatenate(found)


def name_answers(found: NDArray[np.float32], classes: Sequence[str], is_multi_label: bool) -> list[str]:
    """What probabilities (N, K) say: the likeliest class, in a multi-label task all above one half, as `join` writes
    them."""
    if is_multi_label:
        return [join(classes, row) for row in found > 0.5]
    return [classes[place] for place in found.argmax(axis=1)]


def probabilities(logits: NDArray[np.float32], is_multi_label: bool = False) -> NDArray[np.float32]:
    """Softmax over the last axis, in a multi-label task the sigmoid of each output: (N, K) in [0, 1]."""
    outputs = torch.from_numpy(logits)
    return (torch.sigmoid(outputs) if is_multi_label else torch.softmax(outputs, dim=-1)).numpy()
