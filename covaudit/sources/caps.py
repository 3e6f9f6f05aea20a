"""Leaving images out until a limit or a prevalence is met: whole patients, at random, the same for the same seed."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from covaudit.domain.seeds import derive_seed
from covaudit.domain.split import Sampling
from covaudit.errors import BadExperiment, clip
from covaudit.sources.groups import group_images

_TINY = 1e-9  # a third of 3 is 1 and must not become 0


def take_patients(table: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """At most `limit` rows: whole patients in random order, each if it still fits; where none fits, a part of one."""
    if len(table) <= limit:
        return table
    table = table.sort_values("image_id", kind="stable")
    groups = group_images(table)
    sizes = np.bincount(groups)
    room, taken = limit, []
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        if sizes[group] <= room:
            taken.append(group)
            room -= sizes[group]
    if taken:
        return table[np.isin(groups, taken)]
    return table[groups == groups[0]].head(limit)


def cap(table: pd.DataFrame, sampling: Sampling, seed: int, dropped: Counter[str]) -> pd.DataFrame:
    """The train mixture after its caps and, where that is asked for, with equal prevalence in every source."""
    for column, caps in (("source", sampling.per_source), ("class_name", sampling.per_class)):
        for name, limit in caps.items():
            kept = _keep(table, table[column] == name, limit, derive_seed(seed, "cap", column, name))
            _count(dropped, f"over the cap of {limit} for {clip(name, 40)}", len(table) - len(kept))
            table = kept
    if sampling.match != "sources":
        return table
    shares = table["class_name"].value_counts(normalize=True).to_dict()
    parts = [
        match_shares(part, shares, derive_seed(seed, "match", str(source)), f"source {clip(source, 40)}")
        for source, part in table.groupby("source", sort=True, observed=True)
    ]
    matched = pd.concat(parts, ignore_index=True)
    _count(dropped, "left out to match the prevalence of the sources", len(table) - len(matched))
    return matched


def match_test(external: pd.DataFrame, train: pd.DataFrame, seed: int, dropped: Counter[str]) -> pd.DataFrame:
    """The external test with the train mixture's shares of the classes."""
    shares = train["class_name"].value_counts(normalize=True).to_dict()
    matched = match_shares(external, shares, derive_seed(seed, "match", "test"), "the external test")
    _count(dropped, "left out to match the prevalence of the test", len(external) - len(matched))
    return matched


def match_shares(table: pd.DataFrame, shares: Mapping[str, float], seed: int, where: str) -> pd.DataFrame:
    """The largest part of a table in which each class has its share. Raises BadExperiment where a class is missing."""
    counts = table["class_name"].value_counts()
    missing = [name for name in shares if not counts.get(name, 0)]
    if missing:
        raise BadExperiment(
            f"The prevalence of {where} cannot be matched: it has no image of class {', '.join(missing)}. "
            "Set sampling.match to none, or draw that class from it too."
        )
    total = min(counts[name] / share for name, share in shares.items())
    parts = [
        take_patients(table[table["class_name"] == name], int(share * total + _TINY), derive_seed(seed, str(name)))
        for name, share in sorted(shares.items())
    ]
    return pd.concat(parts, ignore_index=True)


def _keep(table: pd.DataFrame, is_capped: "pd.Series[bool]", limit: int, seed: int) -> pd.DataFrame:
    kept = take_patients(table[is_capped], limit, seed)
    return pd.concat([table[~is_capped], kept], ignore_index=True)


def _count(dropped: Counter[str], reason: str, n: int) -> None:
    if n:
        dropped[reason] += int(n)
