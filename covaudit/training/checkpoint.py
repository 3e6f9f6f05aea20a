"""Where a training stands after an epoch, on disk: two files, the second of which says that the first is whole.

`epoch-0007.safetensors` holds every tensor and `epoch-0007.json`, written after it, everything else with the SHA-256 of
both. A damaged checkpoint is found by them, and the one before is used. Nothing is unpickled.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from covaudit.files import sha256_of, write_whole

_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """`epoch` epochs are done. `key` tells which training it belongs to: another cannot go on from it."""

    key: str
    epoch: int
    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write it whole or not at all, and let go of all but the one before."""
        for torn in folder.glob(".epoch-*.part"):  # of a process that was killed while it wrote
            torn.unlink(missing_ok=True)
        place = folder / f"epoch-{self.epoch:04d}.safetensors"
        write_whole(place, save({name: tensor.cpu().contiguous() for name, tensor in self.tensors.items()}))
        plain = {"key": self.key, "epoch": self.epoch, "state": self.state}
        digests = {"tensors_sha256": sha256_of(place), "plain_sha256": _digest(plain)}
        write_whole(place.with_suffix(".json"), json.dumps(plain | digests).encode())
        for old in sorted(folder.glob("epoch-*.json"))[:-_KEPT]:
            old.unlink(missing_ok=True)
            old.with_suffix(".safetensors").unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint | None":
        """The last one of a folder that is whole; None where there is none."""
        return next(cls._valid(folder), None)

    @classmethod
    def _valid(cls, folder: Path) -> "Iterator[Checkpoint]":
        for place in sorted(folder.glob("epoch-*.json"), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, SafetensorError):
                found = json.loads(place.read_text())
                plain = {name: found[name] for name in ("key", "epoch", "state")}
                tensors = place.with_suffix(".safetensors")
                if found["plain_sha256"] == _digest(plain) and found["tensors_sha256"] == sha256_of(tensors):
                    yield cls(plain["key"], plain["epoch"], load_file(tensors), plain["state"])


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
