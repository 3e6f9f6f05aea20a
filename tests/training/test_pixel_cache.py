"""Decoded pixels: bounded on disk and in memory."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from covaudit.training import pixels
from covaudit.training.loaders import take
from covaudit.training.pixel_cache import evict
from covaudit.training.pixels import build_pixels
from covaudit.training.prepare import Recipe


def entry(cache: Path, name: str, n_bytes: int, age_s: int) -> Path:
    folder = cache / name
    folder.mkdir()
    (folder / "pixels.npy").write_bytes(b"\0" * n_bytes)
    os.utime(folder, (1_000_000 - age_s, 1_000_000 - age_s))
    return folder


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    old, older, young = entry(tmp_path, "a", 40, 20), entry(tmp_path, "b", 40, 30), entry(tmp_path, "c", 40, 10)
    kept = entry(tmp_path, "d", 40, 99)
    building = entry(tmp_path, "e.part", 500, 999)
    assert evict(tmp_path, keep=kept, limit_bytes=90) == [older, old]
    assert sorted(tmp_path.iterdir()) == [young, kept, building]
    assert evict(tmp_path, keep=kept, limit_bytes=90) == []


def test_the_entry_in_use_stays_even_if_it_is_too_large(tmp_path: Path) -> None:
    kept, other = entry(tmp_path, "a", 200, 99), entry(tmp_path, "b", 10, 0)
    assert evict(tmp_path, keep=kept, limit_bytes=100) == [other]
    assert kept.exists()


def test_an_open_entry_can_be_read_after_it_was_removed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "pixels.npy", np.arange(64, dtype=np.uint8).reshape(4, 4, 4))
    opened = np.load(tmp_path / "a" / "pixels.npy", mmap_mode="r")
    (tmp_path / "b").mkdir()
    evict(tmp_path, keep=tmp_path / "b", limit_bytes=0)
    assert not (tmp_path / "a").exists()
    assert take(opened, np.array([3]))[0, 3, 3] == 63


def test_folds_that_order_the_same_films_differently_decode_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six films of known grey level, one of them damaged; every row keeps its own film in any order."""
    rows = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((64, 64), 40 * number, np.uint8))
        rows.append({"source": "s", "image_id": str(number), "path": str(path), "mask_path": None})
    path.write_bytes(b"damaged")
    table = pd.DataFrame(rows).assign(sha256=[digit * 64 for digit in "302514"])
    opened = []
    whole = pixels.open_radiograph
    monkeypatch.setattr(pixels, "open_radiograph", lambda row: opened.append(row["image_id"]) or whole(row))
    for order in ([0, 1, 2, 3, 4, 5], [5, 2, 0, 1, 4, 3], [1, 4, 5, 0, 3, 2], [5, 2, 0, 1, 4, 3]):
        fold = table.iloc[order].reset_index(drop=True)
        found = build_pixels(fold, Recipe(32), tmp_path / "cache")
        levels = [0 if number == 5 else 40 * number for number in order]
        assert take(found.pixels, np.arange(6))[:, 16, 16].tolist() == levels
        assert list(found.unreadable) == [order.index(5)]
    assert sorted(opened) == list("012345")
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_films_are_read_in_a_few_megabytes(tmp_path: Path) -> None:
    """An epoch over 164 MB of pixels, in a process of its own; resident memory counts mapped files too."""
    code = """
import sys, numpy as np
from covaudit.training.loaders import batches, take
def resident():
    return int(open('/proc/self/statm').read().split()[1]) * 4096
pixels = np.lib.format.open_memmap(sys.argv[1], 'w+', np.uint8, (2_500, 256, 256))
pixels = np.load(sys.argv[1], mmap_mode='r')
take(pixels, np.arange(32))
before, grown = resident(), 0
for rows in batches(np.arange(2_500), 32, 0):
    take(pixels, rows)
    grown = max(grown, resident() - before)
print(grown)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "pixels.npy")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 20e6
