"""What must be known of a network before it is built. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Normalisation:
    """What the published weights were trained on: levels in [0, 1], minus `mean`, divided by `spread`, by channel."""

    mean: tuple[float, float, float]
    spread: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# The product's own, for networks without published weights.
GREY = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@dataclass(frozen=True)
class Backbone:
    """A part of a network that timm has, and ImageNet weights for.

    `module` is where it sits in the network, "" for the whole of it; `origin` is a repository of the Hugging Face hub,
    or an address.
    """

    timm_name: str
    origin: str
    module: str = ""


@dataclass(frozen=True)
class Printed:
    """The number of parameters in millions as paper 1 prints it (Table 5), and what is known of how it came about."""

    millions: str
    remark: str

    def agrees_with(self, parameters: int) -> bool:
        """Whether rounding or cutting off the number gives what is printed."""
        decimals = len(self.millions.partition(".")[2])
        return bool(abs(float(self.millions) - parameters / 1e6) < 10**-decimals)


@dataclass(frozen=True)
class NetworkSpec:
    """What must be known of a network before it is built.

    `builder` is `module:function`, called with (spec, n_classes, in_chans, image_size). `parameters` counts the
    trainable ones with two classes and three channels at `native_size`; `size_multiple` is what the side of an image
    must be a multiple of. `cam_targets` names the views of a heat map, the whole network first, each with its layers,
    the deepest first.
    """

    name: str
    title: str
    builder: str
    parameters: int
    native_size: int
    cam_targets: Mapping[str, tuple[str, ...]]
    publication: str
    minimum_size: int = 32
    size_multiple: int = 1
    has_fixed_size: bool = False
    normalisation: Normalisation = GREY
    backbones: tuple[Backbone, ...] = ()
    printed: Printed | None = None
    remarks: tuple[str, ...] = ()

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The layers of the first view."""
        return next(iter(self.cam_targets.values()))

    @property
    def has_imagenet_weights(self) -> bool:
        """Whether somebody published weights for it, or for its backbones."""
        return bool(self.backbones)

    def refusal_of(self, image_size: int) -> str | None:
        """Why images of this side do not fit, or None."""
        if image_size < self.minimum_size:
            return f"network {self.name} needs at least {self.minimum_size}"
        if image_size % self.size_multiple:
            return f"network {self.name} needs a multiple of {self.size_multiple}"
        return None
