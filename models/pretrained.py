"""Where ImageNet weights lie: in a folder that the person names, in the caches of earlier downloads, or on the network.

No torch here: whether weights are there must be told before a job starts.
"""

import hashlib
import os
import urllib.request
from functools import cache
from pathlib import Path

from models.specs import Backbone, NetworkSpec

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_FILE = "model.safetensors"
_TIMEOUT_S = 5.0


class WeightsError(ValueError):
    """Weights that are not there, or not those of the network; the message says what to do."""


def require_weights(spec: NetworkSpec, folder: Path | None) -> None:
    """Whether every backbone's weights can be had. Raises `WeightsError` with the way to provide them."""
    if not spec.backbones:
        raise WeightsError(f"Network {spec.name} has no ImageNet weights. Set training.pretrained to none.")
    for backbone in spec.backbones:
        if find_weights(backbone, folder) is None and not _is_reachable(_address(backbone)):
            raise WeightsError(_how_to_provide(backbone, folder))


def find_weights(backbone: Backbone, folder: Path | None) -> Path | None:
    """The file on this machine, in `folder` first; None when it would have to be downloaded."""
    mine = _in_folder(backbone, folder) if folder is not None else None
    if mine is not None:
        return mine
    cached = _in_cache(backbone)
    return cached if cached is not None and cached.is_file() else None


def record_weights(spec: NetworkSpec, folder: Path | None) -> tuple[dict[str, str], ...]:
    """What each backbone starts from: its name, the file and the file's SHA-256."""
    found = [(backbone, fetch_weights(backbone, folder)) for backbone in spec.backbones]
    return tuple(
        {"backbone": backbone.timm_name, "file": path.name, "sha256": _sha256(path)} for backbone, path in found
    )


def fetch_weights(backbone: Backbone, folder: Path | None) -> Path:
    """The file on this machine, downloaded if need be. Raises `WeightsError` when that fails."""
    found = find_weights(backbone, folder)
    if found is not None:
        return found
    if not _is_reachable(_address(backbone)):
        raise WeightsError(_how_to_provide(backbone, folder))
    try:
        if _is_repository(backbone):
            from huggingface_hub import hf_hub_download

            return Path(hf_hub_download(backbone.origin, _FILE))
        from torch.hub import download_url_to_file

        target = _torch_cache(backbone)
        target.parent.mkdir(parents=True, exist_ok=True)
        # The address ends in the first digits of the file's SHA-256.
        download_url_to_file(backbone.origin, str(target), target.stem.rpartition("-")[2], progress=False)
        return target
    except Exception as error:  # the hub's client and urllib have a dozen kinds for a network that is not there
        raise WeightsError(_how_to_provide(backbone, folder)) from error


def where_weights_are(spec: NetworkSpec, folder: Path | None) -> str:
    """`on this machine`, `to be downloaded`, or `none published`; asks no network."""
    if not spec.backbones:
        return "none published"
    is_here = all(find_weights(backbone, folder) is not None for backbone in spec.backbones)
    return "on this machine" if is_here else "to be downloaded"


def _in_folder(backbone: Backbone, folder: Path) -> Path | None:
    if not folder.is_dir():
        raise WeightsError("COVAUDIT_WEIGHTS does not name a folder that is there. Correct it, or leave it out.")
    name = backbone.timm_name
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES and (path.stem == name or path.stem.startswith((f"{name}.", f"{name}-")))
    )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise WeightsError(f"Several files of COVAUDIT_WEIGHTS could be the weights of {name}: {names}. Keep one.")
    return found[0] if found else None


def _in_cache(backbone: Backbone) -> Path | None:
    if not _is_repository(backbone):
        return _torch_cache(backbone)
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(backbone.origin, _FILE)
    return Path(found) if isinstance(found, str) else None


def _torch_cache(backbone: Backbone) -> Path:
    """Where torch keeps downloads (`torch.hub.get_dir`, told without torch)."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(os.environ.get("TORCH_HOME") or cache_home / "torch")
    return home.expanduser() / "hub" / "checkpoints" / backbone.origin.rpartition("/")[2]


def _is_repository(backbone: Backbone) -> bool:
    return "://" not in backbone.origin


def _address(backbone: Backbone) -> str:
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    return f"{hub}/{backbone.origin}/resolve/main/{_FILE}" if _is_repository(backbone) else backbone.origin


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _is_reachable(address: str) -> bool:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return True
    except (OSError, ValueError):
        return False


def _how_to_provide(backbone: Backbone, folder: Path | None) -> str:
    looked = "in the folder of COVAUDIT_WEIGHTS, not " if folder is not None else ""
    return (
        f"The ImageNet weights of {backbone.timm_name} are not present: not {looked}among earlier downloads, and "
        f"{backbone.origin} cannot be reached. On a machine with internet download "
        f"{_FILE if _is_repository(backbone) else 'the file'} from there, put it into a folder here as "
        f"{backbone.timm_name}{'.safetensors' if _is_repository(backbone) else '.pth'} and set COVAUDIT_WEIGHTS to "
        "that folder. Or set training.pretrained to none, to start from random weights."
    )
