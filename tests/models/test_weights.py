"""ImageNet weights: where they are looked for, how they are read, and what they become in a network."""

import contextlib
import hashlib
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from models import pretrained
from models.pretrained import WeightsError, find_weights, record_weights, require_weights, where_weights_are
from models.registry import NETWORKS, build_network
from models.weights import fit_backbone, read_state

RESNET = NETWORKS["resnet18"]


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, and caches of earlier downloads that are empty."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    pretrained._is_reachable.cache_clear()


def published(name: str, seed: int = 1) -> nn.Module:
    """A network of timm with three channels and a thousand classes, whose batch norms have seen something."""
    torch.manual_seed(seed)
    network = timm.create_model(name).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def save(network: nn.Module, path: Path) -> Path:
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": state}, path)
    return path


@pytest.mark.parametrize("file", ["resnet18.safetensors", "resnet18.a1_in1k.safetensors", "resnet18-f37072fd.pth"])
def test_weights_of_a_folder_are_loaded_all_but_the_head(file: str, tmp_path: Path) -> None:
    trained = published("resnet18")
    path = save(trained, tmp_path / file)
    network = build_network("resnet18", 2, pretrained="imagenet", weights=tmp_path)
    own, theirs = network.state_dict(), trained.state_dict()
    taken = [name for name in own if name.startswith("layer") and "num_batches" not in name]
    assert len(taken) == 95
    assert all(torch.equal(own[name], theirs[name]) for name in taken)
    assert own["fc.weight"].shape == (2, 512)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record_weights(RESNET, tmp_path) == ({"backbone": "resnet18", "file": file, "sha256": digest},)


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize(
    ("name", "layer"),
    [("legacy_xception", "act1"), pytest.param("inception_v3", "Conv2d_1a_3x3", marks=pytest.mark.slow)],
)
def test_the_first_layer_sees_what_it_was_trained_on(name: str, layer: str, in_chans: int, tmp_path: Path) -> None:
    """Grey levels as the product brings them, (g - 0.5) / 0.25, give the maps that three channels of the same grey,
    normalised as the weights want them, gave before. Both first convolutions are unpadded, so no border differs."""
    trained = published(name)
    save(trained, tmp_path / f"{name}.safetensors")
    network = build_network(name, 2, in_chans, image_size=96, pretrained="imagenet", weights=tmp_path).eval()
    spec, grey = NETWORKS[name], torch.rand(2, 1, 96, 96)
    mean, spread = (torch.tensor(one).view(1, 3, 1, 1) for one in (spec.normalisation.mean, spec.normalisation.spread))
    expected = output_of(trained, layer, (grey - mean) / spread)
    found = output_of(network, layer, ((grey - 0.5) / 0.25).expand(-1, in_chans, -1, -1))
    assert found.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def output_of(network: nn.Module, layer: str, images: torch.Tensor) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: kept.append(output.clone())
    )
    with torch.inference_mode():
        network(images)
    hook.remove()
    return kept[0]


def test_another_mean_moves_the_bias_or_the_batch_norm() -> None:
    """One kernel of 1 by 1 by hand: weights 1, 2, 3 want (g - m) / s with ImageNet's m and s."""
    backbone = RESNET.backbones[0]
    trained = published("resnet18")
    content = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    own = timm.create_model("resnet18", in_chans=1, num_classes=2)
    fit_backbone(own, backbone, content, "resnet18.safetensors")
    first = content["conv1.weight"]
    scales = torch.tensor([0.25 / 0.229, 0.25 / 0.224, 0.25 / 0.225])
    torch.testing.assert_close(own.conv1.weight, (first * scales.view(1, 3, 1, 1)).sum(1, keepdim=True))
    offsets = torch.tensor([(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225])
    shift = (first.sum(dim=(2, 3)) * offsets).sum(1)
    torch.testing.assert_close(own.bn1.running_mean, content["bn1.running_mean"] - shift)


def test_protocols_that_feed_raw_levels_get_the_weights_as_published(tmp_path: Path) -> None:
    trained = published("resnet18")
    save(trained, tmp_path / "resnet18.safetensors")
    network = build_network("resnet18", 2, 3, pretrained="imagenet", weights=tmp_path, levels=None)
    assert torch.equal(network.conv1.weight, trained.conv1.weight)
    assert torch.equal(network.bn1.running_mean, trained.bn1.running_mean)


def test_cvrnet_takes_the_weights_of_both_branches(tmp_path: Path) -> None:
    resnet, xception = published("resnet50"), published("legacy_xception", seed=2)
    save(resnet, tmp_path / "resnet50.safetensors")
    with pytest.raises(WeightsError, match="legacy_xception are not present"):
        build_network("cvrnet", 2, pretrained="imagenet", weights=tmp_path)
    save(xception, tmp_path / "legacy_xception.safetensors")
    network = build_network("cvrnet", 2, pretrained="imagenet", weights=tmp_path)
    assert torch.equal(network.resnet.layer4[0].conv1.weight, resnet.layer4[0].conv1.weight)
    assert torch.equal(network.xception.conv4.pointwise.weight, xception.conv4.pointwise.weight)
    assert [one["backbone"] for one in record_weights(NETWORKS["cvrnet"], tmp_path)] == ["resnet50", "legacy_xception"]


def test_missing_weights_say_how_to_provide_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"resnet18 are not present.*as resnet18\.safetensors and set COVAUDIT_WEI"):
        require_weights(RESNET, tmp_path)
    with pytest.raises(WeightsError, match=r"training\.pretrained to none"):
        build_network("resnet18", 2, pretrained="imagenet")
    with pytest.raises(WeightsError, match="does not name a folder"):
        require_weights(RESNET, tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="efficient has no ImageNet weights"):
        require_weights(NETWORKS["efficient"], tmp_path)


def test_weights_that_are_there_are_found_and_two_files_are_one_too_many(tmp_path: Path) -> None:
    assert where_weights_are(RESNET, tmp_path) == "to be downloaded"
    (tmp_path / "resnet18d.safetensors").touch()
    (tmp_path / "resnet18.txt").touch()
    assert find_weights(RESNET.backbones[0], tmp_path) is None
    (tmp_path / "resnet18.pth").touch()
    assert where_weights_are(RESNET, tmp_path) == "on this machine"
    require_weights(RESNET, tmp_path)
    (tmp_path / "resnet18.safetensors").touch()
    with pytest.raises(WeightsError, match=r"resnet18\.pth, resnet18\.safetensors"):
        require_weights(RESNET, tmp_path)


def test_downloads_of_torch_are_found_again() -> None:
    """The cache is where torch puts it, though it is asked without torch."""
    backbone = NETWORKS["legacy_xception"].backbones[0]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / "xception-43020ad28.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find_weights(backbone, None) == cached


def test_weights_of_another_network_are_refused_by_name_and_shape(tmp_path: Path) -> None:
    save(published("resnet34"), tmp_path / "resnet50.safetensors")
    with pytest.raises(WeightsError, match=r"not of resnet50: \d+ of \d+ tensors are missing, the first"):
        build_network("resnet50", 2, pretrained="imagenet", weights=tmp_path)
    state = published("resnet18").state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(64, 32, 3, 3)
    save_file(state, tmp_path / "resnet18.safetensors")
    with pytest.raises(WeightsError, match=r"layer1\.0\.conv1\.weight has shape \(64, 32, 3, 3\), expected is \(64"):
        build_network("resnet18", 2, pretrained="imagenet", weights=tmp_path)


class Attack:
    """A pickle that would run a command when opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("form", ["zip of torch", "bare pickle", "inside a state dict"])
def test_a_checkpoint_with_code_is_refused_and_runs_nothing(form: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / "resnet18.pth"
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(Attack(mark)))
    else:
        torch.save(
            Attack(mark) if form == "zip of torch" else {"conv1.weight": torch.zeros(1), "x": Attack(mark)}, path
        )
    with pytest.raises(WeightsError, match="may run code and are not opened"):
        read_state(path)
    assert sorted(tmp_path.iterdir()) == [path]
    with contextlib.suppress(RuntimeError):  # of torch, once a bare pickle has run: it is no file of its own
        torch.load(path, weights_only=False)
    assert mark.exists(), "the attack itself works, so the refusal is what stopped it"


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors", "empty.pth", "empty.safetensors", "text.safetensors"])
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.startswith("cut"):
        save(nn.Linear(50, 50), path)
        path.write_bytes(path.read_bytes()[:-1000])
    else:
        path.write_bytes(b"" if name.startswith("empty") else b"not tensors at all")
    with pytest.raises(WeightsError, match=path.name):
        read_state(path)


@pytest.mark.parametrize("kind", ["header", "tensor", "zip"])
def test_a_giant_is_refused_before_memory_is_taken(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("giant.pth" if kind == "zip" else "giant.safetensors")
    if kind == "header":
        path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    elif kind == "tensor":
        header = json.dumps({"x": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", b"\0" * 2**26)
    before = _peak_bytes()
    with pytest.raises(WeightsError, match=r"giant\."):
        read_state(path)
    assert _peak_bytes() - before < 2**28


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_only_tensors_of_a_state_dict_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "trained.pth"
    torch.save({"model": {"a": torch.ones(2), "note": "text"}, "lr": 0.1}, path)
    assert {name: tensor.tolist() for name, tensor in read_state(path).items()} == {"a": [1.0, 1.0]}
