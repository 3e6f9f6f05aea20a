"""How the images of the mixtures are thinned out, and how the train mixture is divided."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_FROZEN = ConfigDict(frozen=True, extra="forbid")

SplitMethod = Literal["patient", "image", "paper", "independent", "leave-one-source-out"]

PAPER_PARTS = 5
"""Both papers' cross-validation has five parts: three to train on, one to validate on, one to test on."""

SPLIT_METHODS: Mapping[str, str] = {
    "patient": "By patient: nobody on both sides",
    "image": "By image: leaks patients",
    "paper": "As printed: five parts of each class, by image; leaks patients",
    "independent": "Train and validation only; tested on other sources",
    "leave-one-source-out": "Each source in turn is the external test",
}


class Split(BaseModel):
    """How the train mixture is divided into train, val and internal, and how many times.

    `patient` keeps every patient, and whatever shares a file with one, on one side. `image` divides images. `paper` is
    the papers' rule: the images of each class in five parts, three to train, one to validate, one to test on.
    `independent` has no internal test: train and val by patient, the test from sources never trained on.
    `leave-one-source-out` takes each source of the train mixture in turn as the external test, the others by patient.

    With `folds` above 1 the mixture is divided into as many parts, and each part is the internal test once; `val` and
    `internal` are the shares where there is one fold.
    """

    model_config = _FROZEN

    method: SplitMethod = "patient"
    folds: int = Field(default=1, ge=1, le=20)
    val: float = Field(default=0.2, gt=0, lt=0.5)
    internal: float = Field(default=0.2, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _folds_fit_the_method(self) -> Self:
        if self.method in ("patient", "image") and self.folds == 2:
            raise ValueError("2 folds leave nothing to train on, for one part is validated on; use 1, or 3 or more")
        if self.method == "paper" and self.folds not in (1, PAPER_PARTS):
            raise ValueError(f"the papers' split has 1 or {PAPER_PARTS} folds, not {self.folds}")
        if self.method in ("independent", "leave-one-source-out") and self.folds != 1:
            raise ValueError(f"the method {self.method} takes no folds; leave folds at 1")
        return self


Cap = Annotated[int, Field(ge=1)]

MATCHES: Mapping[str, str] = {
    "none": "As drawn",
    "sources": "The same shares of the classes in every source of the train mixture",
    "test": "The external test as prevalent as the train mixture",
}


class Sampling(BaseModel):
    """What is left out of the mixtures, whole patients at a time, before they are divided.

    `per_class` and `per_source` are the most images of a class and of a source in the train mixture, beside the limit
    that each component has for its class and source. `match` makes prevalences equal by leaving images out: `sources`
    gives every source of the train mixture the shares of the classes that the whole has, `test` gives the external test
    those of the train mixture.
    """

    model_config = _FROZEN

    per_class: Mapping[str, Cap] = {}
    per_source: Mapping[str, Cap] = {}
    match: Literal["none", "sources", "test"] = "none"
