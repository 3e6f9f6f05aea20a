"""How good the lung network is on what it was not trained on: Dice on patients kept out, and what it refuses."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covaudit.explain.lung_examples import Example, annotated, is_held_out, made_up, oddities, unmarked
from covaudit.explain.lungs import Lungs

_RESAMPLES = 2000
_SIDE = 224
Finder = Callable[[NDArray[np.uint8]], Lungs]

# Another seed than the training's: other noise, other shapes, other patients.
_SEED = 1


def measure(root: Path, find: Finder) -> dict[str, Any]:
    """Mean Dice of the held-out films of `root/cidc` with its patient-bootstrap interval, a film not found
    counting 0; shares of films found and of things that are no film refused."""
    films = [example for example in annotated(root / "cidc", _SIDE) if is_held_out(example.patient)]
    found = find(np.stack([film.pixels for film in films]))
    scores = np.array([dice(mask, film.mask) for mask, film in zip(found.masks, films, strict=True)])
    low, high = _interval(scores, [film.patient for film in films])
    others = unmarked(root, held_out=True)
    phantoms = made_up(60, _SEED)
    masks = find(np.stack([film.pixels for film in phantoms])).masks
    return {
        "dice": {"mean": float(scores.mean()), "low": low, "high": high, "median": float(np.median(scores)),
                 "lowest": float(scores.min()), "images": len(films), "patients": len({f.patient for f in films})},
        "found": {"annotated films": _share(found.found), "films of other collections": _found(find, others, True),
                  "phantoms": float(np.mean(masks.any(axis=(1, 2))))},
        "refused": {"CT slices": 1 - _found(find, others, False),
                    "noise, shapes, letters": 1 - _found(find, oddities(200, _SEED), False)},
        "phantom_dice": float(np.mean([dice(m, f.mask) for m, f in zip(masks, phantoms, strict=True)])),
    }  # fmt: skip


def dice(mask: NDArray[np.bool_], truth: NDArray[np.bool_] | None) -> float:
    """2 |A and B| / (|A| + |B|) of two masks (H, W); 1 where both are empty."""
    assert truth is not None
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def _interval(scores: NDArray[np.float64], patients: Sequence[str]) -> tuple[float, float]:
    keys = np.unique(patients, return_inverse=True)[1]
    draws, n = np.random.default_rng(0), int(keys.max()) + 1
    weights = np.stack([np.bincount(draws.integers(n, size=n), minlength=n)[keys] for _ in range(_RESAMPLES)])
    low, high = np.quantile(weights @ scores / weights.sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _found(find: Finder, examples: Sequence[Example], are_films: bool) -> float:
    chosen = [example.pixels for example in examples if example.is_film is are_films]
    return _share(find(np.stack(chosen)).found) if chosen else float("nan")


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean())
