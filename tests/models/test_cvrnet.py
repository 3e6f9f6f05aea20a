"""CVR-Net: its taps, its heads, its answer and its loss (networks.md, section 1)."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from models.cvrnet import CVRNet
from models.registry import build_network


@pytest.fixture(scope="module")
def network() -> CVRNet:
    torch.manual_seed(0)
    built = build_network("cvrnet", 3, 3, image_size=64).eval()
    assert isinstance(built, CVRNet)
    return built


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_heads_have_the_published_parameters() -> None:
    with torch.device("meta"):
        heads = build_network("cvrnet", 2, 3).heads
    assert [count(head) for head in heads] == [336_706, 598_850, 2_171_714, 598_850, 447_298]


@pytest.mark.parametrize(
    ("name", "last_two"), [("cvrnet", [(1024, 14), (728, 28)]), ("cvrnet:paper", [(728, 14), (728, 14)])]
)
def test_the_heads_read_where_they_should(name: str, last_two: list[tuple[int, int]]) -> None:
    with torch.device("meta"):
        maps = build_network(name, 2, 3).tapped(torch.zeros(1, 3, 224, 224))
    assert [(one.shape[1], one.shape[2]) for one in maps] == [(512, 28), (1024, 14), (4096, 7), *last_two]


def test_the_taps_are_timm_layers_of_those_names(network: CVRNet) -> None:
    """P1 layer2, P2 layer3, P3 layer4 then act4, P4 block12.rep.5, P5 block3.rep.5, of each network run by itself."""
    kept: dict[str, torch.Tensor] = {}
    names = {"resnet": ("layer2", "layer3", "layer4"), "xception": ("act4", "block12.rep.5", "block3.rep.5")}
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for branch, layers in names.items():
            alone = network.get_submodule(branch)
            hooks = [
                alone.get_submodule(layer).register_forward_hook(
                    lambda module, inputs, output, layer=layer: kept.__setitem__(layer, output.clone())
                )
                for layer in layers
            ]
            alone.forward_features(images)
            for hook in hooks:
                hook.remove()
        tapped = network.tapped(images)
    joined = torch.cat([kept["layer4"], kept["act4"]], dim=1)
    expected = (kept["layer2"], kept["layer3"], joined, kept["block12.rep.5"], kept["block3.rep.5"])
    for found, one in zip(tapped, expected, strict=True):
        torch.testing.assert_close(found, one)


def test_the_loss_is_that_of_the_mean_of_five_softmaxes(network: CVRNet) -> None:
    images, targets = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 1])
    with torch.inference_mode():
        answers = [
            torch.softmax(head(maps), dim=1) for head, maps in zip(network.heads, network.tapped(images), strict=True)
        ]
        mean = torch.stack(answers).mean(dim=0)
        logits = network(images)
    torch.testing.assert_close(torch.softmax(logits, dim=1), mean)
    by_hand = torch.stack([-torch.log(mean[row, target]) for row, target in enumerate(targets)]).mean()
    torch.testing.assert_close(functional.cross_entropy(logits, targets), by_hand)
    mean_of_losses = torch.stack([functional.nll_loss(torch.log(one), targets) for one in answers]).mean()
    assert by_hand < mean_of_losses


def test_the_heads_start_as_keras_starts_them(network: CVRNet) -> None:
    first = network.heads[0][2]
    bound = (6 / (512 + 512)) ** 0.5
    assert first.weight.abs().max() <= bound
    assert first.weight.abs().max() > 0.99 * bound
    assert all(not layer.bias.any() for head in network.heads for layer in head if isinstance(layer, nn.Linear))
