"""The networks by name. Importing this module costs nothing: torch and timm are loaded by `build_network`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.specs import GREY, HALF, IMAGENET, Backbone, NetworkSpec, Normalisation, Printed

if TYPE_CHECKING:
    from torch import nn

TIMM_PREFIX = "timm:"
_PROBE_SECONDS = 180
_TIMM = "models.timm_networks:build_timm"
_RESNET = ("layer4", "layer3", "layer2")
_XCEPTION = ("act4", "block11", "block2")
_DENSENET = ("features.norm5", "features.denseblock3", "features.denseblock2")

_XCEPTION_WEIGHTS = Backbone(
    "legacy_xception",
    "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
)
_FLATTENED = "a head of Flatten, Dense(1024), Dense(2) would have {:,}; the network's own has far fewer"

_CVRNET = NetworkSpec(
    name="cvrnet",
    title="CVR-Net",
    builder="models.cvrnet:build_with_authors_taps",
    parameters=48_468_402,
    native_size=224,
    # The two branches meet in maps of one size at every multiple of 32, and not at 65, 100 or 225.
    size_multiple=32,
    cam_targets={
        "whole": ("joined",),
        "ResNet branch": tuple(f"resnet.{layer}" for layer in _RESNET),
        "Xception branch": tuple(f"xception.{layer}" for layer in _XCEPTION),
    },
    normalisation=IMAGENET,
    backbones=(
        Backbone("resnet50", "timm/resnet50.a1_in1k", "resnet"),
        replace(_XCEPTION_WEIGHTS, module="xception"),
    ),
    printed=Printed("48", "the authors' own printout says 48,602,610 with batch norm statistics and Keras' biases"),
    publication="Hasan et al., CVR-Net: a deep convolutional neural network for coronavirus recognition from chest "
    "radiography images, medRxiv 2020.11.07.20227504",
    remarks=(
        "Taps P4 and P5 as in the authors' notebook: before the pools of Xception's blocks 13 and 4.",
        "The heat map of the whole network shows head P3 only: the other four do not depend on the joined maps.",
    ),
)

_SPECS = (
    _CVRNET,
    replace(
        _CVRNET,
        name="cvrnet:paper",
        title="CVR-Net, taps as printed",
        builder="models.cvrnet:build_with_paper_taps",
        parameters=48_316_850,
        remarks=("Taps P4 and P5 as the paper's text says: the ends of middle and entry flow.", _CVRNET.remarks[1]),
    ),
    NetworkSpec(
        name="efficient",
        title="Efficient (Pasa et al.)",
        builder="models.efficient:build_efficient",
        parameters=231_922,
        native_size=768,
        minimum_size=121,
        cam_targets={"whole": ("block5", "block4", "block3")},
        publication="Pasa et al., Efficient deep network architectures for fast chest X-ray tuberculosis screening and "
        "visualization, Scientific Reports 2019",
        remarks=("Paper 2 trained it at 768 px, Pasa et al. at 512 px.",),
    ),
    NetworkSpec(
        name="darkcovidnet",
        title="DarkCovidNet",
        builder="models.darkcovidnet:build_darkcovidnet",
        parameters=1_164_434,
        native_size=256,
        has_fixed_size=True,
        # Layer 13 is the last convolution but has one channel a class.
        cam_targets={"whole": ("layers.12", "layers.8", "layers.6")},
        printed=Printed("1.94", "the authors' code has 1,164,434; the difference is not explained"),
        publication="Ozturk et al., Automated detection of COVID-19 cases using deep neural networks with X-ray images,"
        " Computers in Biology and Medicine 2020",
    ),
    NetworkSpec(
        name="coronet",
        title="CoroNet",
        builder="models.coronet:build_coronet",
        parameters=33_914_922,
        native_size=150,
        has_fixed_size=True,
        cam_targets={"whole": tuple(f"xception.{layer}" for layer in _XCEPTION)},
        normalisation=HALF,
        backbones=(replace(_XCEPTION_WEIGHTS, module="xception"),),
        printed=Printed("124", _FLATTENED.format(123_625_002) + "; it is the number of paper 1's Xception row"),
        publication="Khan et al., CoroNet: a deep neural network for detection and diagnosis of COVID-19 from chest "
        "X-ray images, Computer Methods and Programs in Biomedicine 2020",
    ),
    NetworkSpec(
        name="vgg19",
        title="VGG-19",
        builder=_TIMM,
        parameters=139_578_434,
        native_size=224,
        # ReLUs: the convolutions before them are overwritten in place.
        cam_targets={"whole": ("features.35", "features.26", "features.17")},
        normalisation=IMAGENET,
        backbones=(Backbone("vgg19", "timm/vgg19.tv_in1k"),),
        printed=Printed("46", _FLATTENED.replace("far fewer", "two layers of 4,096").format(45_717_570)),
        publication="Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, "
        "ICLR 2015",
    ),
    NetworkSpec(
        name="legacy_xception",
        title="Xception",
        builder=_TIMM,
        parameters=20_811_050,
        native_size=299,
        cam_targets={"whole": _XCEPTION},
        normalisation=HALF,
        backbones=(_XCEPTION_WEIGHTS,),
        printed=Printed("124", _FLATTENED.format(123_625_002)),
        publication="Chollet, Xception: deep learning with depthwise separable convolutions, CVPR 2017",
    ),
    NetworkSpec(
        name="efficientnet_b1",
        title="EfficientNet-B1",
        builder=_TIMM,
        parameters=6_515_746,
        native_size=240,
        cam_targets={"whole": ("bn2", "blocks.4", "blocks.2")},
        normalisation=HALF,
        backbones=(Backbone("efficientnet_b1", "timm/efficientnet_b1.ra4_e3600_r240_in1k"),),
        printed=Printed("7", "a head of global average pooling and Dense(2)"),
        publication="Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks, ICML 2019",
    ),
    NetworkSpec(
        name="densenet121",
        title="DenseNet-121",
        builder=_TIMM,
        parameters=6_955_906,
        native_size=224,
        # Not the last convolution: it makes 32 of the 1,024 channels.
        cam_targets={"whole": _DENSENET},
        normalisation=IMAGENET,
        backbones=(Backbone("densenet121", "timm/densenet121.ra_in1k"),),
        publication="Huang et al., Densely connected convolutional networks, CVPR 2017",
    ),
    NetworkSpec(
        name="densenet169",
        title="DenseNet-169",
        builder=_TIMM,
        parameters=12_487_810,
        native_size=224,
        cam_targets={"whole": _DENSENET},
        normalisation=IMAGENET,
        backbones=(Backbone("densenet169", "timm/densenet169.tv_in1k"),),
        printed=Printed("96", _FLATTENED.format(96_138_818)),
        publication="Huang et al., Densely connected convolutional networks, CVPR 2017",
    ),
    NetworkSpec(
        name="resnet18",
        title="ResNet-18",
        builder=_TIMM,
        parameters=11_177_538,
        native_size=224,
        cam_targets={"whole": _RESNET},
        normalisation=IMAGENET,
        backbones=(Backbone("resnet18", "timm/resnet18.a1_in1k"),),
        publication="He et al., Deep residual learning for image recognition, CVPR 2016",
        remarks=("In neither paper; for quick work.",),
    ),
    NetworkSpec(
        name="resnet50",
        title="ResNet-50",
        builder=_TIMM,
        parameters=23_512_130,
        native_size=224,
        cam_targets={"whole": _RESNET},
        normalisation=IMAGENET,
        backbones=(Backbone("resnet50", "timm/resnet50.a1_in1k"),),
        publication="He et al., Deep residual learning for image recognition, CVPR 2016",
    ),
    NetworkSpec(
        name="resnet152",
        title="ResNet-152",
        builder=_TIMM,
        parameters=58_147_906,
        native_size=224,
        cam_targets={"whole": _RESNET},
        normalisation=IMAGENET,
        backbones=(Backbone("resnet152", "timm/resnet152.a1h_in1k"),),
        printed=Printed("84", "a head of Flatten, Dense(256), Dense(2) would have 84,061,826"),
        publication="He et al., Deep residual learning for image recognition, CVPR 2016",
    ),
    NetworkSpec(
        name="inception_v3",
        title="Inception-v3",
        builder=_TIMM,
        parameters=21_789_666,
        native_size=299,
        minimum_size=75,
        cam_targets={"whole": ("Mixed_7c", "Mixed_6e", "Mixed_5d")},
        normalisation=HALF,
        backbones=(Backbone("inception_v3", "timm/inception_v3.tv_in1k"),),
        printed=Printed("74", _FLATTENED.format(74_234_658)),
        publication="Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016",
    ),
)

NETWORKS: Mapping[str, NetworkSpec] = {spec.name: spec for spec in _SPECS}


def spec_of(name: str) -> NetworkSpec:
    """The spec of a network by name: one of `NETWORKS`, or any convolutional network of timm as `timm:<name>`.

    Raises:
        KeyError: there is no such network.
        ValueError: timm does not have it, or no heat map can be drawn of it.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    if not name.startswith(TIMM_PREFIX):
        raise KeyError(name)
    return _probe(name.removeprefix(TIMM_PREFIX))


@cache
def _probe(timm_name: str) -> NetworkSpec:
    """Asked of another process, unless torch is loaded here anyway."""
    if "torch" in sys.modules:
        from models.timm_probe import describe

        return describe(timm_name)
    command = [sys.executable, "-m", "models.timm_probe", timm_name]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip().rpartition("\n")[2] or f"'{timm_name}' cannot be examined.")
    plain = json.loads(done.stdout)
    plain["backbones"] = tuple(Backbone(**one) for one in plain["backbones"])
    plain["cam_targets"] = {view: tuple(layers) for view, layers in plain["cam_targets"].items()}
    plain["normalisation"] = Normalisation(*(tuple(plain["normalisation"][key]) for key in ("mean", "spread")))
    return NetworkSpec(**plain | {"remarks": tuple(plain["remarks"])})


def build_network(
    name: str, n_classes: int, in_chans: int = 1, *, image_size: int | None = None,
    pretrained: Literal["none", "imagenet"] = "none", weights: Path | None = None,
    levels: Normalisation | None = GREY,
) -> nn.Module:  # fmt: skip
    """A network that maps (N, in_chans, H, W) to logits (N, n_classes), in training as in evaluation.

    `image_size` is the side H = W, the network's native size if left out. DarkCovidNet and CoroNet flatten their maps
    and take images of that side only; the others take any that the spec allows. `weights` is a folder with files of
    ImageNet weights, looked into before anything is downloaded; they are fitted to images of these `levels`, or with
    None left as published.

    Raises:
        KeyError: there is no such network.
        ValueError: the images would be too small, or not a multiple of what the spec says; or (`WeightsError`) the
            weights cannot be had or are not of this network.
    """
    spec = spec_of(name)
    size = image_size or spec.native_size
    refusal = spec.refusal_of(size)
    if refusal:
        raise ValueError(f"image_size is {size}; {refusal}")
    module, function = spec.builder.split(":")
    network: nn.Module = getattr(import_module(module), function)(spec, n_classes, in_chans, size)
    if pretrained == "imagenet":
        from models.weights import load_backbones

        load_backbones(network, spec, weights, levels)
    return network
