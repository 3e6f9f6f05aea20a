"""How long a run will still take, as a range: from its own epochs, and from what a finished run has shown."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TRAINING = "training"
"""The stage that epochs are counted in; those before and after it are measured in epochs of the same run."""

_RECENT = 2  # epochs: a machine that gets slower shows in the second one after
_ALONE = 0.25  # how far a single epoch may mislead: the first one warms up
_AFTER_UNKNOWN = (0.5, 4.0)


class Seconds(NamedTuple):
    """A range of seconds, `low` <= `high`."""

    low: float
    high: float


def time_left(
    epochs: int, seconds: Sequence[float], share: float = 0.0, after: tuple[float, float] = _AFTER_UNKNOWN
) -> Seconds | None:
    """What is left of a run of `epochs`, of which those with `seconds` are done and `share` (0..1) of the next one.

    `after` is what follows the training (scores, heat maps, checks), in epochs, at least and at most. None before the
    first epoch has ended. The middle is within 30 % once two epochs have run at the present speed.
    """
    if not seconds:
        return None
    recent = seconds[-_RECENT:]
    slack = _ALONE if len(seconds) == 1 else 0.0
    fast, slow = min(recent) * (1 - slack), max(recent) * (1 + slack)
    left = max(epochs - len(seconds) - share, 0.0)
    return Seconds((left + after[0]) * fast, (left + after[1]) * slow)


def after_training(stages: Mapping[str, Any], seconds: Sequence[float]) -> tuple[float, float] | None:
    """`after` of `time_left`, from a finished run's `stages` (name: seconds, in order) and its epochs' `seconds`."""
    names = list(stages)
    if TRAINING not in names or not seconds or not sum(seconds):
        return None
    spent = sum(float(stages[name]) for name in names[names.index(TRAINING) + 1 :])
    share = spent * len(seconds) / sum(seconds)
    return 0.8 * share, 1.25 * share


class Cost(NamedTuple):
    """What a run will take before it is started: a range of seconds, and bytes on the disk."""

    time: Seconds
    bytes: int


def estimate_cost(
    n_images: int, n_tested: int, image_size: int, epochs: int, seconds_per_image: float, parameters: int
) -> Cost:
    """`n_images` of all splits; `seconds_per_image` of a finished run: its whole time, by image and epoch.

    Bytes: pixels and regions (N, S, S) as uint8, heat maps a quarter as wide, and the weights in 32 bits.
    """
    expected = seconds_per_image * n_images * epochs
    heat = n_tested * (image_size // 4) ** 2
    return Cost(Seconds(0.6 * expected, 1.6 * expected), 2 * n_images * image_size**2 + heat + 4 * parameters)
