"""Cards, readers by name and layout, and adding a source."""

import pytest

from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName
from covaudit.sources.catalog import BUILT_IN, CARDS, READERS, add_source, card_of, find_reader

COLLECTIONS = {"cxri", "chestxray8", "cidc", "hannover", "figure1", "mgc", "actualmed", "ccxri", "chexpert", "padchest"}
COLLECTIONS |= {"bimcv", "coronahack", "scov", "ccii", "ictcf"}


def test_every_card_says_what_must_be_known():
    assert set(CARDS) == COLLECTIONS | {f"phantom-{letter}" for letter in "abcde"}
    for name, card in CARDS.items():
        assert card.name == name
        assert card.title and card.population and card.licence and card.reference_standard and card.confounders
        assert card.obtain and (card.publication or name.startswith("phantom"))
        assert card.access != "unknown"
    assert CARDS["mgc"].modality == "CT" and CARDS["cxri"].modality == "CXR"
    assert "Children" in CARDS["cxri"].population and "Adult" in CARDS["hannover"].population


def test_built_in_sources_are_the_phantoms():
    assert [source.name for source in BUILT_IN] == [f"phantom-{letter}" for letter in "abcde"]
    assert all(source.path is None for source in BUILT_IN)


def test_cards_of_sources():
    assert card_of(BUILT_IN[0]) == CARDS["phantom-a"]
    renamed = card_of(Source(name="kermany", reader="cxri", path="x"))
    assert (renamed.name, renamed.licence) == ("kermany", "CC BY 4.0")
    own = card_of(Source(name="ours", reader="folder", path="x"))
    assert (own.name, own.licence, own.population) == ("ours", "Unknown, please state", "Unknown, please state")


@pytest.fixture
def folder(make_file, tmp_path):
    make_file("source/NOR/a.png"), make_file("source/CVP/b.png")
    return tmp_path / "source"


def test_the_reader_is_found_by_layout_and_by_name(folder, make_file, tmp_path):
    assert find_reader("anything", folder) == "folder"
    assert find_reader("cxri", folder) == "folder"  # the name says so, the layout does not
    make_file("kermany/train/PNEUMONIA/person1_virus_6.jpeg")
    assert find_reader("anything", tmp_path / "kermany") == "cxri"
    assert find_reader("FOLDER", tmp_path / "kermany") == "folder"  # it is one, too
    make_file("listed/list.csv", b"image,label\na.png,NOR\n")
    assert find_reader("anything", tmp_path / "listed") == find_reader("x", tmp_path / "listed/list.csv") == "csv"


def test_no_layout_is_said_with_what_is_allowed(tmp_path):
    with pytest.raises(BadSource, match="one sub-folder per class"):
        find_reader("x", tmp_path)
    with pytest.raises(BadSource, match="There is no folder"):
        find_reader("x", tmp_path / "gone")


def test_a_source_is_added_with_its_real_path(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    added = add_source(" ours ", tmp_path / "link")
    assert added == Source(name="ours", reader="folder", path=str(folder))
    assert add_source("ours", folder, "folder", {}, [tmp_path]) == added


def test_a_link_does_not_lead_out_of_the_roots(folder, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(folder)
    for path in (folder, tmp_path / "root/link", tmp_path / "root/../source"):
        with pytest.raises(BadSource, match="COVAUDIT_ROOTS"):
            add_source("ours", path, roots=[tmp_path / "root"])


def test_what_cannot_be_added(folder, tmp_path, make_file):
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    make_file("bad/list.csv", b"image,label\n../a.png,NOR\n")
    for name, path, reader, words in (
        ("x", tmp_path / "gone", None, "There is no folder"),
        ("x", tmp_path / "loop", None, "There is no folder"),
        ("x", tmp_path / "nul\0", None, "There is no folder"),
        ("x", tmp_path / "empty", None, "No reader knows"),
        ("x", tmp_path / "empty", "folder", "found no image"),
        ("x", tmp_path / "bad", "csv", r"leads out of the folder \(rows 2\): 1"),
        ("", folder, None, "1 to 80 characters"),
        ("x" * 81, folder, None, "1 to 80 characters"),
        ("phantom-a", folder, None, "made-up source"),
    ):
        with pytest.raises(BadSource, match=words):
            add_source(name, path, reader)
    with pytest.raises(UnknownName, match="Unknown reader 'magic'"):
        add_source("x", folder, "magic")
    assert "magic" not in READERS


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cxr.zip", b"PK\x05\x06" + bytes(18), "'cxr.zip' is an archive. Unpack it"),
        ("film.png", b"\x89PNG", "'film.png' is one image. Give the folder"),
        ("list.csv", b"Film;Kind\na.png;NOR\n", "no column image and no column label; it has Film, Kind"),
        ("notes.txt", b"words\n", "no column image and no column label; it has words"),
    ],
)
def test_a_plain_file_is_told_what_it_is(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadSource, match=words):
        add_source("x", tmp_path / name)
    with pytest.raises(BadSource, match="needs the folder that holds the collection"):
        add_source("x", tmp_path / name, "cxri")


def test_a_mapping_is_enough_to_be_read_as_csv(make_file, tmp_path):
    make_file("a.png"), make_file("list.csv", "File;Class\na.png;NOR\n".encode("utf-16"))
    columns = {"image": "File", "label": "Class"}
    assert add_source("x", tmp_path / "list.csv", columns=columns).reader == "csv"
    assert add_source("x", tmp_path, columns=columns).reader == "csv"
