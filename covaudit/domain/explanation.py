"""The ways to explain an answer, by name. The heat maps of a run are drawn by one of two; the others are asked for,
image by image."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

OnDemand = Literal["guided-grad-cam", "guided-backprop", "saliency", "integrated-gradients", "occlusion"]


class MethodCard(NamedTuple):
    """What a person is told of a method; `reads` completes 'The map shows ...'."""

    title: str
    reads: str
    publication: str


METHOD_CARDS: Mapping[str, MethodCard] = {
    "hires-cam": MethodCard(
        "HiResCAM", "where the activations of a late layer raise the score, place by place", "Draelos and Carin 2020"
    ),
    "grad-cam": MethodCard(
        "Grad-CAM", "where the channels of a late layer that raise the score are active", "Selvaraju et al. 2017"
    ),
    "guided-grad-cam": MethodCard(
        "Guided Grad-CAM", "guided backpropagation where Grad-CAM is warm", "Selvaraju et al. 2017"
    ),
    "guided-backprop": MethodCard(
        "Guided backpropagation",
        "how strongly a pixel moves the score along paths that raise it; it resembles an edge detector",
        "Springenberg et al. 2015",
    ),
    "saliency": MethodCard("Input gradient", "how strongly a small change of a pixel moves the score", "Simonyan 2014"),
    "integrated-gradients": MethodCard(
        "Integrated Gradients",
        "what each pixel adds to the score on the way from an even image to this one",
        "Sundararajan et al. 2017",
    ),
    "occlusion": MethodCard("Occlusion", "how much the score falls when a patch is covered", "Zeiler and Fergus 2014"),
}


OF_PIXELS = ("guided-grad-cam", "guided-backprop", "saliency", "integrated-gradients")
"""Methods whose maps are of single pixels: they are drawn blurred by 1 % of the side, for one pixel cannot be seen."""


class MapOptions(BaseModel):
    """How a map is made and drawn. The papers' own variants are here, and none of them is a default.

    `relu_gradients` drops negative gradients before Grad-CAM's mean (paper 2; keras-vis' `grad_modifier`).
    `threshold` blanks what is below that share of the hottest place (0.6 in paper 1's figure).
    `smooth` multiplies by 7.5, cuts off at the maximum and blurs by 5 px of 768 (paper 2's maps of Efficient).
    `baseline` is what Integrated Gradients begins with and occlusion covers with: the grey in the middle of the scale,
    or black. `steps` are those of Integrated Gradients; a patch of occlusion is the image's side divided by `patches`,
    and moves by half of itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relu_gradients: bool = False
    threshold: float = Field(0.0, ge=0, lt=1)
    smooth: bool = False
    baseline: Literal["grey", "black"] = "grey"
    steps: int = Field(64, ge=2, le=1000)
    patches: int = Field(8, ge=2, le=64)
