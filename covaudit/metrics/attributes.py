"""Groups of images by what is known of the patient and the film: sex, age band, view."""

from collections.abc import Iterator

import pandas as pd

ATTRIBUTES = ("sex", "age", "view")
AGE_BANDS = ((0, 18), (18, 40), (40, 60), (60, 80), (80, 200))
"""Years, from the first to below the second."""
UNKNOWN = "not known"
MAX_GROUPS = 6
"""Of one attribute; the rarer values are put together as "other"."""


def groups_of(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name ("sex: F", "age: 18-39", "view: AP") and rows of each group, for the attributes that are columns of the
    table and have two values or more."""
    for attribute in ATTRIBUTES:
        if attribute in rows and rows[attribute].notna().any():
            values = _common(age_bands(rows[attribute]) if attribute == "age" else _named(rows[attribute]))
            if values.nunique() > 1:
                for name, part in rows.groupby(values, sort=True):
                    yield f"{attribute}: {name}", part


def age_bands(years: "pd.Series[float]") -> "pd.Series[str]":
    """'18-39', '80 or more', 'not known' for each age in years."""
    named = pd.Series(UNKNOWN, index=years.index)
    for first, end in AGE_BANDS:
        name = f"{first}-{end - 1}" if end < 120 else f"{first} or more"
        named[(years >= first) & (years < end)] = name
    return named


def _named(values: "pd.Series[str]") -> "pd.Series[str]":
    return values.where(values.notna(), UNKNOWN).astype(str).str.slice(0, 40)


def _common(values: "pd.Series[str]") -> "pd.Series[str]":
    kept = values.value_counts().index[: MAX_GROUPS - 1] if values.nunique() > MAX_GROUPS else values.unique()
    return values.where(values.isin(kept), "other")
