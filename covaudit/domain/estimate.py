"""A number that judges a network, always with its interval, its n and how the interval was made."""

from math import isnan, nan
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

SPLITS = ("train", "val", "internal", "external")


class Place(NamedTuple):
    """What an estimate is about: no two estimates of a run have the same place."""

    split: str
    metric: str
    source: str | None = None
    class_name: str | None = None
    group: str | None = None
    baseline: str | None = None
    fold: int | None = None


class Estimate(BaseModel):
    """One metric on one group of images; undefined is NaN, never 0.

    `split` is one of `SPLITS`, or `gap` for a value internal minus external. `source`, `class_name` and `group` (such
    as "sex: F", "age: 18-39", "view: AP") narrow the images, None for all of them. `baseline` names the baseline that
    answered in the network's place, None for the network; `fold` is the fold it was measured in, None for the run's
    number. In JSON the class is `class` and NaN is null.
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
    group: str | None = None
    baseline: str | None = None
    fold: int | None = None

    @property
    def place(self) -> Place:
        return Place(self.split, self.metric, self.source, self.class_name, self.group, self.baseline, self.fold)

    @property
    def is_of_network(self) -> bool:
        """The run's own number, neither a baseline's nor a single fold's."""
        return self.baseline is None and self.fold is None

    @property
    def is_overall(self) -> bool:
        """The run's own number for all images and classes of the split."""
        return not self.narrowed_by

    @property
    def narrowed_by(self) -> tuple[str, ...]:
        """The names of the fields, of source, class_name, group, baseline and fold, that are given."""
        return tuple(name for name, value in zip(Place._fields[2:], self.place[2:], strict=True) if value is not None)

    @property
    def is_defined(self) -> bool:
        return not isnan(self.value)


class Confusion(BaseModel):
    """Counts of one split; rows are the truth, columns the prediction, both in the order of `classes`."""

    model_config = ConfigDict(frozen=True)

    split: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
