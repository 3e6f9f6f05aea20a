"""The training protocol, field by field; `covaudit.domain.protocols` names whole ones."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_FROZEN = ConfigDict(frozen=True, extra="forbid")

Monitor = Literal["val_loss", "val_accuracy"]


class Plateau(BaseModel):
    """Lower the learning rate once validation stops getting better, counted as Keras' ReduceLROnPlateau counts."""

    model_config = _FROZEN

    monitor: Monitor = "val_loss"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=3, ge=1, le=500)
    min_delta: float = Field(default=1e-4, ge=0, le=1)
    cooldown: int = Field(default=0, ge=0, le=500)
    min_lr: float = Field(default=1e-8, ge=0, le=1)


class EarlyStopping(BaseModel):
    """End the training once validation stops getting better, counted as Keras' EarlyStopping counts."""

    model_config = _FROZEN

    monitor: Monitor = "val_loss"
    patience: int = Field(default=12, ge=1, le=500)
    min_delta: float = Field(default=0, ge=0, le=1)


class Augmentation(BaseModel):
    """Random changes of training images. Each reach r is drawn evenly from -r to r, for each image anew.

    `rotation` and `shear` in degrees; `shift` and `scale` in shares of the side; flips are probabilities; `gamma` is of
    the logarithm; `contrast`, `brightness` and `noise` in shares of the range of grey levels.
    """

    model_config = _FROZEN

    rotation: float = Field(default=7.0, ge=0, le=180)
    shift: float = Field(default=0.05, ge=0, le=0.5)
    scale: float = Field(default=0.08, ge=0, le=0.5)
    shear: float = Field(default=0.0, ge=0, le=45)
    horizontal_flip: float = Field(default=0.0, ge=0, le=1)
    vertical_flip: float = Field(default=0.0, ge=0, le=1)
    gamma: float = Field(default=0.35, ge=0, le=2)
    contrast: float = Field(default=0.2, ge=0, le=1)
    brightness: float = Field(default=0.1, ge=0, le=1)
    noise: float = Field(default=0.03, ge=0, le=1)


class Copies(BaseModel):
    """Images of `label` give way to changed copies of themselves before training, as in paper 2: `train` copies of each
    in train and validation, `test` copies in the internal test. Zero keeps the images as they are."""

    model_config = _FROZEN

    label: str = Field(default="CVP", min_length=1, max_length=80)
    train: int = Field(default=15, ge=0, le=100)
    test: int = Field(default=12, ge=0, le=100)


class Preparation(BaseModel):
    """What is done to the pixels of every image, once: in training, in the tests and to uploads alike.

    `crop_start` (left and top) and `crop_end` (right and bottom) are in pixels of an image of 768 pixels a side.
    `clahe_clip` 0 leaves the contrast as it is; otherwise CLAHE on the lightness, on a grid of `clahe_grid` cells a
    side. The lung, marker, border and histogram fields are mitigations: `match_source` names the source of the train
    mixture whose mean grey-level distribution all images are given; empty for none.
    """

    model_config = _FROZEN

    interpolation: Literal["area", "nearest", "bilinear"] = "area"
    crop_start: int = Field(default=0, ge=0, le=256)
    crop_end: int = Field(default=0, ge=0, le=256)
    clahe_clip: float = Field(default=0.0, ge=0, le=40)
    clahe_grid: int = Field(default=8, ge=2, le=32)
    remove_borders: bool = False
    inpaint_markers: bool = False
    lungs: Literal["as they are", "crop", "mask"] = "as they are"
    match_source: str = Field(default="", max_length=80)

    @property
    def is_cropped(self) -> bool:
        """Whether the network sees a part of the film only."""
        return bool(self.crop_start or self.crop_end or self.remove_borders or self.lungs != "as they are")


class Training(BaseModel):
    """The training protocol; every field is visible and changeable in Compose.

    `protocol` names where it began; the other fields say what is run. `passes` is how often an epoch shows each image.
    `accumulate` batches are computed one after the other, their gradients added up as if they were one, before the
    weights move. `compile` trains through `torch.compile`, where there is a compiler.
    `weighted_mean` divides the weighted losses of a batch by the sum of their weights, or, as Keras does, by the number
    of images. `keep` says which epoch's weights are kept: `best` is the highest validation balanced accuracy, then the
    lowest loss. `intensity` is what the network is given: grey levels brought near zero mean (standard), in 0..1
    (unit), or in 0..255 (raw).
    """

    model_config = _FROZEN

    protocol: str = Field(default="fast", min_length=1, max_length=40)
    image_size: int = Field(default=128, ge=32, le=1024)
    epochs: int = Field(default=8, ge=1, le=500)
    passes: int = Field(default=1, ge=1, le=20)
    batch_size: int = Field(default=32, ge=2, le=1024)
    accumulate: int = Field(default=1, ge=1, le=128)
    optimiser: Literal["adamw", "adam", "adamax"] = "adamw"
    amsgrad: bool = False
    lr: float = Field(default=1e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-2, ge=0, le=1)
    schedule: Literal["one-cycle", "plateau", "constant"] = "one-cycle"
    plateau: Plateau = Plateau()
    stopping: EarlyStopping | None = None
    keep: Literal["best", "best-loss", "best-accuracy", "last"] = "best"
    class_weights: Literal["minority", "literal", "none"] = "minority"
    weighted_mean: Literal["weights", "images"] = "weights"
    intensity: Literal["standard", "unit", "raw"] = "standard"
    augment: bool = True
    augmentation: Augmentation = Augmentation()
    copies: Copies | None = None
    preparation: Preparation = Preparation()
    balance_sources: bool = False
    group_dro: bool = False
    group_dro_step: float = Field(default=0.01, gt=0, le=1)
    pretrained: Literal["none", "imagenet"] = "none"
    compile: bool = False

    def to_plain(self) -> dict[str, Any]:
        """Plain values for YAML; groups of fields that are all at their defaults are left out."""
        plain = self.model_dump(mode="json", exclude_none=True)
        nested = {key: value for key, value in plain.items() if isinstance(value, dict)}
        usual = Training().model_dump(mode="json")
        return {key: value for key, value in plain.items() if key not in nested or value != usual[key]}


_FIRST = {"image_size", "epochs", "batch_size", "lr", "weight_decay", "class_weights", "augment", "pretrained"}


def later_defaults() -> dict[str, Any]:
    """The fields that the first protocols did not have, with what was done then, as plain JSON values."""
    return {name: value for name, value in Training().model_dump(mode="json").items() if name not in _FIRST}
