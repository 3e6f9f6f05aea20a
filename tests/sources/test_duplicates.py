"""Near duplicates: all pairs that counting bits finds, confirmed by pixels; families that splits can keep together."""

import itertools
import time

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covaudit.domain.source import Source
from covaudit.sources import duplicates
from covaudit.sources.duplicates import families, find_duplicates, near_pairs
from covaudit.sources.index import read_index
from covaudit.sources.pairs import SAME, likeness


def clustered(n, seed=0):
    """Hashes as of radiographs: many around few centres, some equal."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, 40, dtype=np.uint64)
    hashes = centres[rng.integers(0, 40, n)]
    for _ in range(6):
        flip = np.uint64(1) << rng.integers(0, 64, n).astype(np.uint64)
        hashes = np.where(rng.random(n) < 0.6, hashes ^ flip, hashes)
    return hashes


@pytest.mark.parametrize("seed", range(5))
def test_all_pairs_and_no_others(seed):
    hashes = np.unique(clustered(300, seed))
    expected = [
        pair for pair in itertools.combinations(range(len(hashes)), 2)
        if (int(hashes[pair[0]]) ^ int(hashes[pair[1]])).bit_count() <= 4
    ]  # fmt: skip
    assert len(expected) > 50
    assert near_pairs(hashes).tolist() == [list(pair) for pair in expected]


def test_few_hashes():
    assert near_pairs(np.zeros(0, np.uint64)).shape == near_pairs(np.zeros(1, np.uint64)).shape == (0, 2)
    assert near_pairs(np.array([0, 15, 31, 2**63], np.uint64)).tolist() == [[0, 1], [0, 3], [1, 2]]


def test_fifty_times_as_fast_as_the_loop_over_imagehash():
    hashes = np.unique(clustered(1000))
    wrapped = [imagehash.hex_to_hash(f"{value:016x}") for value in hashes]
    started = time.process_time()
    looped = [[i, j] for i, j in itertools.combinations(range(len(wrapped)), 2) if wrapped[i] - wrapped[j] <= 4]
    slow = time.process_time() - started
    started = time.process_time()
    found = near_pairs(hashes).tolist()
    fast = time.process_time() - started
    assert found == looped and slow > 10 * fast  # at 1,000; the ratio grows with the number: see make bench-sources


def picture(seed, side=256):
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse, float) + rng.normal(0, 12, (side, side)), 0, 255).astype(np.uint8)


def test_likeness_of_the_same_and_of_other_pictures():
    one = picture(0)
    small = np.asarray(Image.fromarray(one).resize((200, 180), Image.Resampling.LANCZOS))
    window = np.clip(one.astype(float) * 0.6 + 40, 0, 255).astype(np.uint8)
    assert likeness(one, one) == pytest.approx(1) and likeness(one, small) > 0.9 and likeness(one, window) > 0.9
    blurred = np.asarray(Image.fromarray(one).reduce(32).resize((256, 256), Image.Resampling.BICUBIC))
    assert likeness(one, blurred) < SAME and likeness(one, picture(1)) < 0.3
    flat = np.full((50, 50), 7, np.uint8)
    assert (likeness(flat, flat), likeness(flat, flat + 1), likeness(flat, one)) == (1.0, 0.0, 0.0)


@pytest.fixture
def sources(tmp_path, encode):
    """Source a: p0, its JPEG twin under another patient, p1. Source b: a copy of p1's file, a scaled p0, p2."""
    files = {
        "a/NOR/p0.png": encode(picture(0)),
        "a/NOR/p0-again.jpg": encode(picture(0), "JPEG", quality=85),
        "a/CVP/p1.png": encode(picture(1)),
        "b/CVP/p1.png": encode(picture(1)),
        "b/NOR/p0-small.png": encode(np.asarray(Image.fromarray(picture(0)).resize((180, 180)))),
        "b/NOR/p2.png": encode(picture(2)),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return {n: read_index(Source(name=n, reader="folder", path=str(tmp_path / n))).table for n in ("a", "b")}


def test_families_within_and_across_sources(sources, tmp_path):
    found = families(sources, tmp_path / "cache")
    family = {row.image_id: row.family for table in found.values() for row in table.itertuples() if row.source == "a"}
    other = dict(zip(found["b"]["image_id"], found["b"]["family"], strict=True))
    assert family["NOR/p0.png"] == family["NOR/p0-again.jpg"] == other["NOR/p0-small.png"]
    assert family["CVP/p1.png"] == other["CVP/p1.png"] != family["NOR/p0.png"]
    assert pd.isna(other["NOR/p2.png"])
    assert families({}, tmp_path) == {}


def test_a_hash_that_is_near_by_chance_is_no_duplicate(sources):
    table = pd.concat(sources.values(), ignore_index=True).assign(phash="00000000000000ff")
    found = find_duplicates(table)
    names = table["image_id"].to_numpy()
    pairs = {frozenset(names[list(pair)]) for pair in zip(found.pairs["first"], found.pairs["second"], strict=True)}
    same = ("NOR/p0.png", "NOR/p0-again.jpg", "NOR/p0-small.png")
    assert pairs == {frozenset(pair) for pair in itertools.combinations(same, 2)}
    assert found.pairs["likeness"].min() > 0.9


def test_pixels_are_compared_once(sources, tmp_path, monkeypatch):
    cache, asked = tmp_path / "cache", []
    real = duplicates._compare
    monkeypatch.setattr(duplicates, "_compare", lambda paths: asked.append(paths) or real(paths))
    first = families(sources, cache)
    n = len(asked)
    again = families(sources, cache)
    assert n >= 2 and len(asked) == n
    for name in first:
        pd.testing.assert_frame_equal(first[name], again[name])
    next(cache.glob("likeness*")).write_bytes(b"damaged")
    families(sources, cache)
    assert len(asked) == 2 * n


def test_progress_is_told_and_a_cancel_keeps_what_was_compared(sources, tmp_path, monkeypatch):
    heard, asked = [], []

    def cancel(done, total):
        heard.append((done, total))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        families(sources, tmp_path / "cache", cancel)
    total = heard[0][1]
    assert heard == [(1, total)] and total >= 2
    real = duplicates._compare
    monkeypatch.setattr(duplicates, "_compare", lambda paths: asked.append(paths) or real(paths))
    families(sources, tmp_path / "cache")
    assert len(asked) == total - 1


def test_tables_without_hashes_have_families_of_equal_files_only(make_table):
    table = make_table("s", "NOR", [1, 1, 1])
    table.loc[1, "sha256"] = table.loc[0, "sha256"]
    found = families({"s": table})["s"]["family"].tolist()
    assert found[0] == found[1] == table["sha256"][0] and pd.isna(found[2])
