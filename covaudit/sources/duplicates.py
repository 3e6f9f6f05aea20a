"""Pictures that are there more than once: the same file, or nearly the same picture in another file.

Near duplicates are found by perceptual hash (at most `MAX_BITS` of 64 bits apart) and confirmed by their pixels.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from covaudit.errors import BadImage
from covaudit.files import writing_whole
from covaudit.sources.groups import patient_keys
from covaudit.sources.pairs import SAME

MAX_BITS = 4
_N_BANDS, _N_EQUAL = 7, 3  # 4 different bits lie in at most 4 of 7 bands, so at least 3 bands are equal
_CROWD = 20
_BLOCK = 500
_REMEMBERED = ("first", "second", "likeness")

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.intp]


class Duplicates(NamedTuple):
    """Of a table of images: `family` (N,) is a name for those that show the same picture, missing for those alone.

    `pairs` are the near duplicates: rows `first` and `second` of the table, `bits` their hashes are apart, `likeness`
    of their pixels in [-1, 1]; exact copies are not among them.
    """

    family: NDArray[np.object_]
    pairs: pd.DataFrame


def near_pairs(hashes: Hashes, most: int = MAX_BITS) -> Pairs:
    """All pairs (P, 2), first < second, of different hashes (U,) that are at most `most` (up to 4) bits apart.

    Multi-index hashing (Norouzi et al., CVPR 2012): hashes near each other are equal in some three of seven bands.
    """
    found = [np.zeros((0, 2), np.intp)]
    edges = np.linspace(0, 64, _N_BANDS + 1).round().astype(int)
    masks = [sum(1 << bit for bit in range(low, high)) for low, high in pairwise(edges)]
    for bands in combinations(masks, _N_EQUAL):
        keys = hashes & np.uint64(sum(bands))
        order = np.argsort(keys, kind="stable")
        keys, ranked = keys[order], hashes[order]
        at, step = np.arange(len(keys) - 1), 1
        while len(at := at[at + step < len(keys)]) and len(at := at[keys[at] == keys[at + step]]):
            near = at[np.bitwise_count(ranked[at] ^ ranked[at + step]) <= most]
            found.append(np.stack([order[near], order[near + step]], axis=1))
            step += 1
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def find_duplicates(
    table: pd.DataFrame,
    cache: Path | None = None,
    across_patients_only: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Duplicates:
    """Families and near duplicates of an index table, or of several below each other.

    What is found by comparing pixels is remembered in the folder `cache`. `across_patients_only` leaves out the pairs
    of one patient, which a split keeps together anyway.
    """
    pairs = _candidates(table, across_patients_only)
    pairs = pairs.assign(likeness=_likeness(table, pairs, cache, on_progress))
    pairs = pairs[pairs["likeness"] >= SAME].reset_index(drop=True)
    return Duplicates(_families(table, pairs), pairs)


def families(
    tables: Mapping[str, pd.DataFrame],
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, pd.DataFrame]:
    """The index tables of sources with a column `family`, for splits: equal for images that show the same picture."""
    if not tables:
        return {}
    together = pd.concat(tables.values(), ignore_index=True)
    family = find_duplicates(together, cache, across_patients_only=True, on_progress=on_progress).family
    ends = np.cumsum([len(table) for table in tables.values()])
    parts = np.split(family, ends[:-1])
    return {name: table.assign(family=part) for (name, table), part in zip(tables.items(), parts, strict=True)}


def _candidates(table: pd.DataFrame, across_patients_only: bool) -> pd.DataFrame:
    """Rows whose hashes are near, columns first, second, bits. Of equal hashes the first stands for all."""
    empty = pd.DataFrame({name: np.zeros(0, np.intp) for name in ("first", "second", "bits")})
    if "phash" not in table or table.empty:
        return empty
    files = table.reset_index(drop=True).drop_duplicates("sha256")
    files = files[files["phash"].fillna("") != ""]
    if files.empty:
        return empty
    hashes = np.array([int(text, 16) for text in files["phash"]], np.uint64)
    different, place = np.unique(hashes, return_inverse=True)
    rows = files.index.to_numpy()
    leader = np.zeros(len(different), np.intp)
    leader[place[::-1]] = rows[::-1]  # the first row of each hash
    near = leader[near_pairs(different)]
    ends = np.concatenate([_equal_pairs(place, rows, leader), near])
    pairs = pd.DataFrame({"first": ends.min(axis=1), "second": ends.max(axis=1)})
    of_row = pd.Series(hashes, index=rows)
    apart = of_row[pairs["first"]].to_numpy() ^ of_row[pairs["second"]].to_numpy()
    pairs["bits"] = np.bitwise_count(apart).astype(np.intp)
    if across_patients_only:
        patients = patient_keys(table).to_numpy()
        pairs = pairs[patients[pairs["first"]] != patients[pairs["second"]]]
    return pairs.sort_values(["first", "second"], ignore_index=True)


def _equal_pairs(place: Pairs, rows: Pairs, leader: Pairs) -> Pairs:
    """Pairs of rows with one hash: each with each, but in a crowd each with the first only."""
    members = pd.Series(rows).groupby(place).agg(list)
    few = [pair for group in members if 1 < len(group) <= _CROWD for pair in combinations(group, 2)]
    is_crowded = (np.bincount(place) > _CROWD)[place] & (leader[place] != rows)
    crowd = np.stack([leader[place], rows], axis=1)[is_crowded]
    return np.concatenate([np.array(few, np.intp).reshape(-1, 2), crowd])


def _likeness(
    table: pd.DataFrame, pairs: pd.DataFrame, cache: Path | None, on_progress: Callable[[int, int], None]
) -> NDArray[np.float64]:
    """Of the pixels of each pair (P,); -1 where a file cannot be opened any more."""
    if pairs.empty:
        return np.zeros(0)
    contents, paths = table["sha256"].to_numpy(), table["path"].to_numpy()
    keys = pd.DataFrame({"first": contents[pairs["first"]], "second": contents[pairs["second"]]})
    keys = pd.DataFrame(np.sort(keys.to_numpy(dtype=str), axis=1), columns=["first", "second"])
    merged = keys.merge(_remembered(cache), on=["first", "second"], how="left")
    known: NDArray[np.float64] = merged["likeness"].to_numpy(copy=True)
    missing = np.flatnonzero(np.isnan(known))
    asked = [(paths[pairs["first"][row]], paths[pairs["second"][row]]) for row in missing]
    try:
        for row, (done, found) in zip(missing, enumerate(_compare_all(asked), start=1), strict=True):
            known[row] = found
            on_progress(done, len(missing))
    finally:
        is_known = np.isfinite(known)
        _remember(keys[is_known].assign(likeness=known[is_known]), cache, len(missing))
    return known


def _compare_all(asked: list[tuple[str, str]]) -> Iterable[float]:
    from covaudit.sources.scan import n_cores

    with ThreadPoolExecutor(n_cores()) as threads:
        for start in range(0, len(asked), _BLOCK):
            yield from threads.map(_compare, asked[start : start + _BLOCK])


def _compare(paths: tuple[str, str]) -> float:
    from covaudit.sources.scan import scanners

    try:
        return float(scanners().ask({"do": "compare", "first": paths[0], "second": paths[1]}).found["likeness"])
    except BadImage:
        return -1.0


def _families(table: pd.DataFrame, pairs: pd.DataFrame) -> NDArray[np.object_]:
    """Named by the first content of the family, so that the name does not depend on what else is in the table."""
    contents, names = pd.factorize(table["sha256"])
    ends = contents[pairs["first"]], contents[pairs["second"]]
    n = len(names)
    _, component = connected_components(coo_array((np.ones(len(pairs)), ends), shape=(n, n)), directed=False)
    of_row = pd.Series(component[contents])
    name = pd.Series(table["sha256"].to_numpy()).groupby(of_row).transform("min")
    is_alone = of_row.map(of_row.value_counts()) == 1
    return np.asarray(name.astype(object).where(~is_alone, None), dtype=object)


def _place(cache: Path) -> Path:
    return cache / "likeness.parquet"


def _remembered(cache: Path | None) -> pd.DataFrame:
    empty = pd.DataFrame({"first": pd.Series(dtype="str"), "second": pd.Series(dtype="str"), "likeness": np.zeros(0)})
    if cache is None:
        return empty
    try:
        table = pd.read_parquet(_place(cache))
    except (OSError, ValueError, KeyError):  # none yet, or damaged
        return empty
    return table.drop_duplicates(["first", "second"]) if set(table.columns) == set(_REMEMBERED) else empty


def _remember(found: pd.DataFrame, cache: Path | None, n_new: int) -> None:
    if cache is None or not n_new:
        return
    every: Any = pd.concat([_remembered(cache), found]).drop_duplicates(["first", "second"])
    with writing_whole(_place(cache)) as file:
        every.to_parquet(file, index=False)
