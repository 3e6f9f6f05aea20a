"""`python -m models.timm_probe NAME`: what the registry must know of any network of timm, as JSON.

It is built without memory for its weights, and its feature maps are looked at.
"""

import dataclasses
import difflib
import json
import sys
from typing import Any

import timm
import torch
from torch import nn

from models.specs import Backbone, NetworkSpec, Normalisation


def describe(timm_name: str) -> NetworkSpec:
    """The spec of `timm:<timm_name>`.

    Raises:
        ValueError: timm has no such network, or none of its feature maps has rows and columns.
    """
    if not timm.is_model(timm_name):
        near = ", ".join(difflib.get_close_matches(timm_name, timm.list_models(), n=3)) or "resnet34, mobilenetv3_large"
        raise ValueError(f"timm {timm.__version__} has no network '{timm_name[:60]}'. Near to it: {near}.")
    published: Any = timm.get_pretrained_cfg(timm_name)
    if published is None:
        raise ValueError(f"timm says nothing of the images that '{timm_name}' takes. Choose another network.")
    size = published.input_size[-1]
    with torch.device("meta"):
        network = timm.create_model(timm_name, num_classes=2, in_chans=3).eval()
    layers = _map_layers(network, size)
    if not layers:
        raise ValueError(
            f"No heat map can be drawn of '{timm_name}': none of its layers gives maps with rows and columns, as in "
            "most transformers. Choose a convolutional network."
        )
    origin = published.hf_hub_id or published.url
    least = (published.min_input_size or (3, 32, 32))[-1]
    return NetworkSpec(
        name=f"timm:{timm_name}",
        title=f"{timm_name} (timm)",
        builder="models.timm_networks:build_timm",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        native_size=size,
        minimum_size=size if published.fixed_input_size else least,
        has_fixed_size=published.fixed_input_size,
        cam_targets={"whole": layers},
        publication=f"timm {timm.__version__}",
        normalisation=Normalisation(published.mean, published.std),
        backbones=(Backbone(timm_name, origin),) if origin else (),
    )


def _map_layers(network: nn.Module, size: int) -> tuple[str, ...]:
    """Layers that timm lists as features and whose output is (N, C, h, w), the deepest first."""
    sides: dict[str, int] = {}
    for info in getattr(network, "feature_info", []):
        name, channels = info["module"], info["num_chs"]

        def keep(module: nn.Module, inputs: object, output: object, name: str = name, channels: int = channels) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[1] == channels:
                sides[name] = output.shape[-1]

        network.get_submodule(name).register_forward_hook(keep)
    network(torch.zeros(1, 3, size, size, device="meta"))
    # The last few: earlier ones have hardly seen more than edges.
    return tuple(sorted(sides, key=sides.__getitem__))[:3]


def main(timm_name: str) -> int:
    """Exit code 0 with the spec as JSON on stdout; otherwise 1 with a sentence on stderr."""
    try:
        spec = describe(timm_name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        print(f"'{timm_name[:60]}' cannot be examined ({type(error).__name__}). Choose another.", file=sys.stderr)
        return 1
    print(json.dumps(dataclasses.asdict(spec)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
