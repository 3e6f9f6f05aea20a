"""Train, val and internal: groups of images kept whole, the shares kept in every class of every source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.seeds import derive_seed
from covaudit.domain.split import PAPER_PARTS, Split
from covaudit.sources.groups import group_images

PARTS = ("train", "val", "internal")
_TINY = 1e-9  # 0.2 * 3515 is 703 and must not become 702


def assign_splits(
    table: pd.DataFrame, split: Split, seed: int, fold: int = 0, held_out: str | None = None
) -> NDArray[np.str_]:
    """'train', 'val', 'internal' or 'external' for each row (N,) of a table with source, patient, sha256, class_name.

    `split.method` says what stays whole: `patient`, `independent` and `leave-one-source-out` keep all images of a
    patient, and of patients who share an image, in one part; `image` and `paper` divide images. Strata are the classes
    of each source (of all sources together for `paper`). Each stratum of enough groups has one in every part; beyond
    that the parts come as near to their shares as whole groups allow. `fold` counts from 0; over all folds each image
    is tested once. `held_out` is the source that is external in this fold of `leave-one-source-out`.
    """
    groups = np.arange(len(table)) if split.method in ("image", "paper") else group_images(table)
    if split.method == "paper":
        return _rotate(_class_parts(table, PAPER_PARTS, seed), PAPER_PARTS, fold, first=PAPER_PARTS - 1)
    strata, _ = pd.factorize(table["class_name"].astype(str) + "\0" + table["source"].astype(str))
    rng = np.random.default_rng(derive_seed(seed, "split"))
    if split.method == "independent":
        return np.asarray(np.array(PARTS)[_divide(groups, strata, _train_and_val(table, strata, split.val), rng)])
    if split.method == "leave-one-source-out":
        n_parts = max(PAPER_PARTS, table["source"].nunique())
        parts = _rotate(_divide(groups, strata, _shares(strata, [1 / n_parts] * n_parts), rng), n_parts, fold)
        return np.where(table["source"] == held_out, "external", parts)
    if split.folds > 1:
        n_parts = split.folds
        return _rotate(_divide(groups, strata, _shares(strata, [1 / n_parts] * n_parts), rng), n_parts, fold)
    shares = [1 - split.val - split.internal, split.val, split.internal]
    return np.asarray(np.array(PARTS)[_divide(groups, strata, _shares(strata, shares), rng)])


def _rotate(parts: NDArray[np.int64], n_parts: int, fold: int, first: int = 0) -> NDArray[np.str_]:
    """Part `first` + `fold` is the internal test, the part before it is validated on, the others are trained on."""
    test = (first + fold) % n_parts
    named = np.full(n_parts, "train", dtype="<U8")
    named[(test - 1) % n_parts], named[test] = "val", "internal"
    return np.asarray(named[parts])


def _class_parts(table: pd.DataFrame, n_parts: int, seed: int) -> NDArray[np.int64]:
    """The images of each class in parts of equal size, the first parts one larger where it does not come out even.

    CVR-Net's Table 2: all its sizes are those of this rule with three parts to train on, the fourth to validate on and
    the fifth to test on.
    """
    parts = np.zeros(len(table), np.int64)
    for name, rows in table.groupby("class_name", sort=True).indices.items():
        shuffled = np.random.default_rng(derive_seed(seed, "split", str(name))).permutation(rows)
        for part, members in enumerate(np.array_split(shuffled, n_parts)):
            parts[members] = part
    return parts


def _shares(strata: NDArray[np.int64], shares: Sequence[float]) -> NDArray[np.float64]:
    """Images wanted, (parts, strata), where every stratum is divided by the same shares."""
    return np.asarray(np.array(shares)[:, None] * np.bincount(strata)[None, :])


def _train_and_val(table: pd.DataFrame, strata: NDArray[np.int64], val: float) -> NDArray[np.float64]:
    """Images wanted in train and val, (2, strata): whole numbers, floor(val * n) of each class, as printed."""
    first = table.groupby(strata).first()
    sizes = pd.Series(np.bincount(strata), index=first.index)
    upto = sizes.groupby(first["class_name"]).cumsum()
    wanted = np.floor(val * upto + _TINY) - np.floor(val * (upto - sizes) + _TINY)
    return np.array([sizes - wanted, wanted])


def _count(groups: NDArray[np.int64], strata: NDArray[np.int64]) -> NDArray[np.int64]:
    """Images of each group in each stratum, (groups in order of appearance, strata)."""
    rows, names = pd.factorize(groups)
    counts = np.zeros((len(names), int(strata.max()) + 1), np.int64)
    np.add.at(counts, (rows, strata), 1)
    return counts


class _State(NamedTuple):
    counts: NDArray[np.int64]  # (groups, strata)
    target: NDArray[np.float64]  # (parts, strata), images wanted
    filled: NDArray[np.float64]  # (parts, strata), images given
    part: NDArray[np.int64]  # (groups,), -1 where not given yet

    def give(self, group: int, part: int) -> None:
        self.part[group] = part
        self.filled[part] += self.counts[group]


def _divide(
    groups: NDArray[np.int64], strata: NDArray[np.int64], target: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """The part of each image (N,): groups stay whole, and `target` (parts, strata) images are wanted in each part."""
    counts = _count(groups, strata)
    state = _State(counts, target, np.zeros_like(target), np.full(len(counts), -1))
    order = rng.permutation(len(counts))
    largest_first = np.argsort(-counts[order].sum(axis=1), kind="stable")  # the small ones then even out
    order = order[largest_first]
    _give_one_each(state, order)
    for group in order:
        if state.part[group] < 0:
            state.give(group, _best_part(state, group))
    group_row, _ = pd.factorize(groups)
    return np.asarray(state.part[group_row])


def _give_one_each(state: _State, order: NDArray[np.int64]) -> None:
    """The stratum with the fewest groups first; train takes a large group, the other parts small ones."""
    n_parts, n_groups = len(state.target), (state.counts > 0).sum(axis=0)
    for stratum in np.argsort(n_groups, kind="stable"):
        members = order[state.counts[order, stratum] > 0]
        wanted: Sequence[int] = range(n_parts) if len(members) >= n_parts else (0,)
        for part in wanted:
            free = members[state.part[members] < 0]
            if len(free) and not (state.part[members] == part).any():
                state.give(int(free[0] if part == 0 else free[-1]), part)


def _best_part(state: _State, group: int) -> int:
    """Where the sum over strata of (given - wanted)^2 / wanted grows least."""
    mine = state.counts[group]
    touched = mine > 0
    added, target = mine[touched], state.target[:, touched]
    growth = (added**2 + 2 * added * (state.filled[:, touched] - target)) / np.maximum(target, _TINY)
    return int(np.argmin(np.round(growth.sum(axis=1), 9)))  # rounded, for ties must not hang on the last bit
