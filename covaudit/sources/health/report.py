"""What is found when sources are checked before anything is trained, as plain values that can be kept and exported."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding


class Image(BaseModel):
    """One image, named as its source names it."""

    model_config = ConfigDict(frozen=True)

    source: str
    image_id: str
    label: str
    patient: str


class Twins(BaseModel):
    """Two images that show the same picture. `bits` their hashes are apart, `likeness` of their pixels up to 1."""

    model_config = ConfigDict(frozen=True)

    first: Image
    second: Image
    is_same_file: bool
    bits: int
    likeness: float

    @property
    def has_two_labels(self) -> bool:
        return self.first.label != self.second.label


class Fingerprint(BaseModel):
    """How the images of one source were taken and stored.

    `spread` has for each fact its 5, 25, 50, 75 and 95 % quantiles; `kinds` the share of images of each kind of file,
    such as 'PNG, 8 bit, grey'. `unlikeness` in [0, 1] is how far the facts lie apart from those of the other sources, 0
    where there is no other; `reasons` are the facts that nearly no image shares with them, in words.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    n: int
    spread: Mapping[str, tuple[float, float, float, float, float]]
    kinds: Mapping[str, float]
    unlikeness: float
    reasons: tuple[str, ...]


class HealthReport(BaseModel):
    """Of some sources together. `predictable` are AUROCs of metadata alone: metric 'label' or 'source', the class that
    is told from the rest, and the source that it was asked within (None: all)."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    sources: tuple[str, ...]
    n_images: Mapping[str, int]
    findings: tuple[AuditFinding, ...]
    predictable: tuple[Estimate, ...]
    fingerprints: tuple[Fingerprint, ...]
    twins: tuple[Twins, ...]
    n_twins: int
