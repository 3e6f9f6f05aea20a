"""The index: one row an image, hashes of content, files opened once, what is unusable counted."""

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName
from covaudit.sources import index
from covaudit.sources.index import COLUMNS, read_index


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
    real = index.read_file

    def counting(path, **options):
        counts[path.name] += 1
        return real(path, **options)

    monkeypatch.setattr(index, "read_file", counting)
    return counts


def test_one_row_an_image(own, tmp_path):
    table, dropped = read_index(own)
    assert tuple(table.columns) == COLUMNS
    assert table["image_id"].tolist() == ["NOR/a.png", "NOR/b.jpeg", "covid/a.png"]
    assert table["label"].tolist() == ["NOR", "NOR", "CVP"] and set(table["source"]) == {"own"}
    content = (tmp_path / "source/NOR/a.png").read_bytes()
    first = table.iloc[0]
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert (first.width, first.height, first.view, first.mask_path) == (48, 40, None, None)
    assert (table["patient"] != "").all()
    assert dropped == {"refused: This is a text file, whatever its name says": 1}


def test_unchanged_files_are_not_opened_again(own, tmp_path, opened):
    cache = tmp_path / "cache"
    first = read_index(own, cache)
    assert opened == {"a.png": 2, "b.jpeg": 1, "text.png": 1}
    opened.clear()
    second = read_index(own, cache)
    assert opened == {"text.png": 1}  # a refused file may be readable tomorrow
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.dropped == second.dropped


def test_a_changed_file_is_opened_and_a_gone_one_forgotten(own, tmp_path, opened, make_file):
    cache = tmp_path / "cache"
    before = read_index(own, cache).table.set_index("image_id")["sha256"]
    opened.clear()
    changed = make_file("source/NOR/b.jpeg")
    os.utime(changed, ns=(1, 1))
    (tmp_path / "source/covid/a.png").unlink()
    after = read_index(own, cache).table.set_index("image_id")["sha256"]
    assert opened == {"b.jpeg": 1, "text.png": 1}
    assert after["NOR/a.png"] == before["NOR/a.png"] and after["NOR/b.jpeg"] != before["NOR/b.jpeg"]
    assert "covid/a.png" not in after


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
    table, dropped = read_index(own)
    assert "NOR/a.png" not in set(table["image_id"]) and dropped["refused: This is not a plain file"] == 1


def test_images_listed_twice_count_once(make_file, tmp_path):
    make_file("a.png"), make_file("list.csv", b"image,label\na.png,NOR\na.png,NOR\n")
    table, dropped = read_index(Source(name="x", reader="csv", path=str(tmp_path)))
    assert table["label"].tolist() == ["NOR"] and dropped == {"listed twice (rows 3)": 1}


def test_no_image_is_an_empty_table(make_file, tmp_path):
    make_file("list.csv", b"image,label\ngone.png,NOR\n")
    table, dropped = read_index(Source(name="x", reader="csv", path=str(tmp_path)), tmp_path / "cache")
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
