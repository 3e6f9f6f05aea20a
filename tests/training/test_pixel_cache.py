"""Decoded pixels: bounded on disk and in memory."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from covaudit.training.loaders import take
from covaudit.training.pixel_cache import evict


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
