"""Any convolutional network of timm by `timm:<name>`."""

import subprocess
import sys

import pytest
import torch

from covaudit.explain.placement import measure_grid
from models.registry import build_network, spec_of


def test_a_network_of_timm_is_described_by_its_feature_maps() -> None:
    spec = spec_of("timm:mobilenetv3_small_100")
    # 1,518,881 of timm's table for features and hidden layer, and 1,024 x 2 + 2 for the head in place of 1,000 classes.
    assert spec.parameters == 2_542_856 - (1_024 * 1_000 + 1_000) + (1_024 * 2 + 2)
    assert spec.native_size == 224
    assert spec.cam_targets == {"whole": ("blocks.5", "blocks.3", "blocks.1")}
    assert spec.backbones[0].origin.startswith("timm/mobilenetv3_small_100")
    network = build_network("timm:mobilenetv3_small_100", 3, image_size=64).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 3)
    assert measure_grid(network, "blocks.3", 64).stride == 16


def test_the_web_process_asks_without_torch() -> None:
    code = (
        "import sys; from models.registry import spec_of; spec = spec_of('timm:resnet10t');"
        "assert 'torch' not in sys.modules; print(spec.name, spec.cam_layers, spec.normalisation.mean)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("(")[0] == "timm:resnet10t "
    here = spec_of("timm:resnet10t")
    assert done.stdout.strip() == f"{here.name} {here.cam_layers} {here.normalisation.mean}"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("timm:resnet51", "Near to it: resnet5"),
        ("timm:vit_tiny_patch16_224", "No heat map can be drawn"),
        ("timm:hf_hub:someone/thing", "has no network"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_a_reason(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        spec_of(name)


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        spec_of("resnet")
