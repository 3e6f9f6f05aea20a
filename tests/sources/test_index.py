"""The index: one row an image, hashes of content, files opened once, what is unusable counted."""

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName
from covaudit.sources import index, scan
from covaudit.sources.index import COLUMNS, read_index
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers import phantoms


@pytest.fixture
def own(make_file, tmp_path):
    """Three good images of two classes, one text file with an image's name, in `source/`."""
    for name in ("NOR/a.png", "NOR/b.jpeg", "covid/a.png"):
        make_file(f"source/{name}")
    make_file("source/covid/text.png", b"no image at all")
    return Source(name="own", reader="folder", path=str(tmp_path / "source"))


@pytest.fixture
def opened(monkeypatch):
    """How often each file was opened."""
    counts = Counter()
    real = scan._look

    def counting(path):
        counts[Path(path).name] += 1
        return real(path)

    monkeypatch.setattr(scan, "_look", counting)
    return counts


def test_one_row_an_image(own, tmp_path):
    found = read_index(own)
    table = found.table
    assert tuple(table.columns) == COLUMNS
    assert table["image_id"].tolist() == ["NOR/a.png", "NOR/b.jpeg", "covid/a.png"]
    assert table["label"].tolist() == ["NOR", "NOR", "CVP"] and set(table["source"]) == {"own"}
    content = (tmp_path / "source/NOR/a.png").read_bytes()
    first = table.iloc[0]
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert (first.width, first.height, first.view, first.mask_path) == (48, 40, None, None)
    assert (table["patient"] != "").all()
    assert found.dropped == {"refused: This is a text file, whatever its name says": 1}
    assert found.refused.to_dict("records") == [
        {
            "source": "own",
            "image_id": "covid/text.png",
            "path": str(tmp_path / "source/covid/text.png"),
            "label": "CVP",
            "reason": "text",
        }
    ]
    assert found.n_pending == 0


def test_unchanged_files_are_not_opened_again(own, tmp_path, opened):
    cache = tmp_path / "cache"
    first = read_index(own, cache)
    assert opened == {"a.png": 2, "b.jpeg": 1, "text.png": 1}
    opened.clear()
    second = read_index(own, cache)
    assert opened == {}
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.refused, second.refused)
    assert first.dropped == second.dropped


def test_a_changed_file_is_opened_and_a_gone_one_forgotten(own, tmp_path, opened, make_file):
    cache = tmp_path / "cache"
    before = read_index(own, cache).table.set_index("image_id")["sha256"]
    opened.clear()
    changed = make_file("source/NOR/b.jpeg")
    os.utime(changed, ns=(1, 1))
    (tmp_path / "source/covid/a.png").unlink()
    after = read_index(own, cache).table.set_index("image_id")["sha256"]
    assert opened == {"b.jpeg": 1}
    assert after["NOR/a.png"] == before["NOR/a.png"] and after["NOR/b.jpeg"] != before["NOR/b.jpeg"]
    assert "covid/a.png" not in after


def test_what_may_be_better_tomorrow_is_tried_again(own, tmp_path, opened):
    cache = tmp_path / "cache"
    place = tmp_path / "source/NOR/a.png"
    real = place.with_suffix(".bak")
    place.rename(real)
    place.mkdir()  # listed by nobody, so put it back as a file that cannot be read
    place.rmdir()
    os.mkfifo(place)
    assert read_index(own, cache).dropped["refused: This is not a plain file"] == 1
    place.unlink()
    real.rename(place)
    opened.clear()
    assert "NOR/a.png" in set(read_index(own, cache).table["image_id"]) and opened == {"a.png": 1}


def test_no_more_files_are_opened_than_asked_for(own, tmp_path, opened):
    cache = tmp_path / "cache"
    found = read_index(own, cache, most=3)
    assert (len(found.table), len(found.refused), found.n_pending, opened) == (0, 0, 4, {})
    read_index(own, cache, most=4)
    assert read_index(own, cache, most=0).n_pending == 0 and sum(opened.values()) == 4


def test_what_was_found_before_a_cancel_is_remembered(make_file, tmp_path, opened):
    for number in range(30):
        make_file(f"source/NOR/{number:02d}.png")
    source = Source(name="own", reader="folder", path=str(tmp_path / "source"))
    heard = []

    def cancel(done, total):
        heard.append((done, total))
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_index(source, tmp_path / "cache", on_progress=cancel)
    assert heard == [(number, 30) for number in range(1, 11)]
    opened.clear()
    assert len(read_index(source, tmp_path / "cache").table) == 30
    assert len(opened) == 20 or len(opened) == 21  # the file that was cancelled at may be kept or not


def test_facts_of_a_file(tmp_path, encode):
    """Half black, half 200; a 10-pixel black border right and below makes the box 30 x 40 of 40 x 50."""
    values = np.zeros((40, 50), np.uint16)
    values[:30, :40] = 200 * 257
    values[0, 0] = 65535
    (tmp_path / "source/NOR").mkdir(parents=True), (tmp_path / "source/CVP").mkdir()
    (tmp_path / "source/NOR/a.png").write_bytes(encode(values))
    (tmp_path / "source/CVP/b.png").write_bytes(encode(np.full((40, 50, 3), 51, np.uint8)))
    table = read_index(Source(name="own", reader="folder", path=str(tmp_path / "source"))).table
    flat, half = table.to_dict("records")
    assert (half["format"], half["bit_depth"], half["channels"], half["width"], half["height"]) == (
        "PNG",
        16,
        1,
        50,
        40,
    )
    assert half["bytes"] == (tmp_path / "source/NOR/a.png").stat().st_size
    mean = (1199 * 200 + 255) / 2000
    assert half["brightness"] == pytest.approx(mean / 255)
    assert half["contrast"] == pytest.approx(((1199 * 200**2 + 255**2) / 2000 - mean**2) ** 0.5 / 255)
    assert half["border"] == pytest.approx(1 - 30 * 40 / 2000)
    assert half["sharpness"] > 0 == flat["sharpness"]
    assert (flat["channels"], flat["brightness"], flat["contrast"], flat["border"]) == (3, pytest.approx(0.2), 0, 0)


def test_phantoms_are_drawn_for_their_facts_only_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(phantoms, "N_PATIENTS", 3)
    monkeypatch.setattr(phantoms, "_table", phantoms._table.__wrapped__)
    source, cache = Source(name="phantom-a", reader="phantom"), tmp_path / "cache"
    quick = read_index(source, cache)
    assert (len(quick.table), quick.n_pending) == (12, 12) and quick.table["brightness"].isna().all()
    full = read_index(source, cache, with_drawn=True)
    assert (len(full.table), full.n_pending) == (12, 0)
    pixels = open_radiograph(full.table.iloc[0]).pixels
    assert full.table["brightness"][0] == pytest.approx(pixels.mean() / 255)
    assert read_index(source, cache).table["brightness"].equals(full.table["brightness"])
    known = [name for name in COLUMNS if name not in ("brightness", "contrast", "sharpness", "border", "phash")]
    pd.testing.assert_frame_equal(quick.table[known], full.table[known])


def test_a_damaged_cache_is_made_anew(own, tmp_path):
    cache = tmp_path / "cache"
    expected = read_index(own, cache).table
    for content in (b"", b"PAR1 nonsense PAR1"):
        for file in cache.iterdir():
            file.write_bytes(content)
        pd.testing.assert_frame_equal(read_index(own, cache).table, expected)
    assert [path.suffix for path in cache.iterdir()] == [".parquet"]  # one, and nothing half-written


def test_two_sources_with_strange_names_share_no_cache(own, tmp_path):
    cache = tmp_path / "cache"
    read_index(own, cache)
    other = own.model_copy(update={"name": "../../x\0"})
    assert set(read_index(other, cache).table["source"]) == {"../../x\0"}
    assert len(list(cache.iterdir())) == 2 and not (tmp_path.parent / "x").exists()


def test_a_file_put_in_as_a_link_after_listing_is_refused(own, tmp_path, make_file, monkeypatch):
    """The reader lists real paths; what is a link when opened was put there since."""
    secret = make_file("secret.png")
    real = index.READERS["folder"].read

    def swap(folder, columns):
        found = real(folder, columns)
        place = Path(found.table["path"][0])
        place.unlink()
        place.symlink_to(secret)
        return found

    monkeypatch.setitem(index.READERS, "folder", index.READERS["folder"]._replace(read=swap))
    table, dropped, *_ = read_index(own)
    assert "NOR/a.png" not in set(table["image_id"]) and dropped["refused: This is not a plain file"] == 1


def test_images_listed_twice_count_once(make_file, tmp_path):
    make_file("a.png"), make_file("list.csv", b"image,label\na.png,NOR\na.png,NOR\n")
    table, dropped, *_ = read_index(Source(name="x", reader="csv", path=str(tmp_path)))
    assert table["label"].tolist() == ["NOR"] and dropped == {"listed twice (rows 3)": 1}


def test_no_image_is_an_empty_table(make_file, tmp_path):
    make_file("list.csv", b"image,label\ngone.png,NOR\n")
    table, dropped, *_ = read_index(Source(name="x", reader="csv", path=str(tmp_path)), tmp_path / "cache")
    assert table.empty and tuple(table.columns) == COLUMNS and dropped == {"the file is missing (rows 2)": 1}


def test_what_cannot_be_read_is_said_in_a_sentence(own, tmp_path):
    with pytest.raises(UnknownName, match="Unknown reader 'magic'"):
        read_index(own.model_copy(update={"reader": "magic"}))
    with pytest.raises(BadSource, match="outside the folders"):
        read_index(own, roots=[tmp_path / "elsewhere"])
    assert len(read_index(own, roots=[tmp_path]).table) == 3
    shutil.rmtree(tmp_path / "source")
    with pytest.raises(BadSource, match="not there any more"):
        read_index(own)
    with pytest.raises(UnknownName, match="phantom-a"):
        read_index(Source(name="phantom-z", reader="phantom"))


def test_phantoms_share_no_patient_and_no_picture():
    names = ("phantom-a", "phantom-b")
    tables = [read_index(Source(name=name, reader="phantom")).table for name in names]
    for table in tables:
        assert tuple(table.columns) == COLUMNS
        assert table["label"].value_counts().to_dict() == {"NOR": 300, "OBP": 300, "OVP": 300, "CVP": 300}
        assert table["patient"].nunique() == 1200
    together = pd.concat(tables)
    assert together["sha256"].nunique() == together["path"].nunique() == 2400
    assert set(together["view"]) == {"PA", "AP"} and set(together["sex"]) == {"F", "M"}
