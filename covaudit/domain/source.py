"""A source: one provenance of images. The card says what is known of it before any pixel is read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Access = Literal["open", "registration", "kaggle", "made up", "unknown"]
"""How a collection can be had: by `sources get` or a browser, after signing an agreement, with a Kaggle account."""


class SourceCard(BaseModel):
    """What a reader must know of a source to judge a mixture: who is in it and how the label came about."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    modality: str = "CXR"
    population: str
    licence: str
    reference_standard: str
    confounders: tuple[str, ...] = ()
    publication: str = ""
    access: Access = "unknown"
    obtain: str = ""


class Source(BaseModel):
    """A source that was added: its name, its folder and the reader that understands the folder.

    `path` is None for the phantom sources, which are generated. `columns` maps the index's columns (image, label,
    patient, view, sex, age) to those of a CSV file, for the `csv` reader; `chexpert` takes `uncertain`, see there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    reader: str
    path: str | None = None
    columns: dict[str, str] = {}
