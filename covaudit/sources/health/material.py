"""What every check looks at, and how it speaks of images."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from covaudit.sources.duplicates import Duplicates
from covaudit.sources.groups import patient_keys
from covaudit.sources.index import SourceIndex

_SHOWN = 20


class Material(NamedTuple):
    """Some sources: the images of all (columns of the index and `family`, rows from 0), the files that were refused,
    and the near duplicates as rows of `table`."""

    indexes: Mapping[str, SourceIndex]
    table: pd.DataFrame
    refused: pd.DataFrame
    pairs: pd.DataFrame

    @classmethod
    def of(cls, indexes: Mapping[str, SourceIndex], duplicates: Duplicates) -> "Material":
        table = stacked(indexes).assign(family=duplicates.family)
        refused = pd.concat([index.refused for index in indexes.values()], ignore_index=True)
        return cls(indexes, table.assign(patient_key=patient_keys(table)), refused, duplicates.pairs)


def stacked(indexes: Mapping[str, SourceIndex]) -> pd.DataFrame:
    """The images of all sources, one below the other, rows from 0."""
    return pd.concat([index.table for index in indexes.values()], ignore_index=True)


def named(rows: pd.DataFrame, limit: int = _SHOWN) -> list[str]:
    """'source: image' of the first rows."""
    return [f"{row.source}: {row.image_id}" for row in rows.head(limit).itertuples()]


def counted(values: Iterable[Any]) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    return {str(value): int(n) for value, n in pd.Series(list(values), dtype=object).value_counts().items()}


def in_words(counts: Mapping[str, int], limit: int = 5) -> str:
    """'cxri 12, mgc 3 and 2 more'."""
    words = [f"{name} {n:,}" for name, n in list(counts.items())[:limit]]
    more = f" and {len(counts) - limit} more" if len(counts) > limit else ""
    return ", ".join(words) + more
