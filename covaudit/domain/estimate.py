"""A number that judges a network, always with its interval, its n and how the interval was made."""

from math import isnan, nan

from pydantic import BaseModel, ConfigDict, Field

SPLITS = ("train", "val", "internal", "external")


class Estimate(BaseModel):
    """One metric on one group of images; undefined is NaN, never 0.

    `source` and `class_name` are None for an overall value. `split` is one of `SPLITS`, or `gap` for a value internal
    minus external. In JSON the class is `class` and NaN is null.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, ser_json_inf_nan="null")

    split: str
    metric: str
    value: float = nan
    low: float = nan
    high: float = nan
    n: int = 0
    method: str = ""
    source: str | None = None
    class_name: str | None = Field(default=None, alias="class")

    @property
    def is_defined(self) -> bool:
        return not isnan(self.value)


class Confusion(BaseModel):
    """Counts of one split; rows are the truth, columns the prediction, both in the order of `classes`."""

    model_config = ConfigDict(frozen=True)

    split: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
