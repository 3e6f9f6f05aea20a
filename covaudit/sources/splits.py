"""Train, val and internal: groups of images kept whole, the shares kept in every class of every source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.experiment import Split
from covaudit.domain.seeds import derive_seed
from covaudit.sources.groups import group_images

PARTS = ("train", "val", "internal")


def assign_splits(table: pd.DataFrame, split: Split, seed: int) -> NDArray[np.str_]:
    """'train', 'val' or 'internal' for each row (N,) of a table with source, patient, sha256 and class_name.

    With the method `patient` all images of a patient, and of patients who share an image, go to one part. Strata are
    the classes of each source. Each stratum of at least three groups has one in every part; beyond that the parts come
    as near to the shares as whole groups allow. With `image` every image is a group of its own, as in the papers.
    """
    groups = group_images(table) if split.method == "patient" else np.arange(len(table))
    strata, _ = pd.factorize(table["class_name"].astype(str) + "\0" + table["source"].astype(str))
    shares = np.array([1 - split.val - split.internal, split.val, split.internal])
    counts = _count(groups, strata)
    part_of_group = _divide(counts, shares, np.random.default_rng(derive_seed(seed, "split")))
    group_row, _ = pd.factorize(groups)
    return np.asarray(np.array(PARTS)[part_of_group[group_row]])


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


def _divide(counts: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    target = shares[:, None] * counts.sum(axis=0)[None, :]
    state = _State(counts, target, np.zeros_like(target), np.full(len(counts), -1))
    order = rng.permutation(len(counts))
    order = order[
        np.argsort(-counts[order].sum(axis=1), kind="stable")
    ]  # the largest first, the small ones then even out
    _give_one_each(state, order)
    for group in order:
        if state.part[group] < 0:
            state.give(group, _best_part(state, group))
    return state.part


def _give_one_each(state: _State, order: NDArray[np.int64]) -> None:
    """The stratum with the fewest groups first; train takes a large group, val and internal small ones."""
    n_groups = (state.counts > 0).sum(axis=0)
    for stratum in np.argsort(n_groups, kind="stable"):
        members = order[state.counts[order, stratum] > 0]
        wanted: Sequence[int] = (0, 1, 2) if len(members) >= 3 else (0,)
        for part in wanted:
            free = members[state.part[members] < 0]
            if len(free) and not (state.part[members] == part).any():
                state.give(int(free[0] if part == 0 else free[-1]), part)


def _best_part(state: _State, group: int) -> int:
    """Where the sum over strata of (given - wanted)^2 / wanted grows least."""
    mine = state.counts[group]
    touched = mine > 0
    added, target = mine[touched], state.target[:, touched]
    growth = (added**2 + 2 * added * (state.filled[:, touched] - target)) / target
    return int(np.argmin(np.round(growth.sum(axis=1), 9)))  # rounded, for ties must not hang on the last bit
