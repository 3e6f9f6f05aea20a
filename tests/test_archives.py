"""Archives: all or nothing, nothing outside, and bombs are refused before they are big."""

import io
import stat
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from covaudit import archives
from covaudit.archives import Limits, is_archive, unpack
from covaudit.errors import BadArchive, CovauditError

SHARED = Path(__file__).resolve().parents[2] / "shared"


def make_zip(path, members, **more):
    """`members` are (name or ZipInfo, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **more) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def make_tar(path, members, mode="w:gz"):
    """`members` are (TarInfo or name, content)."""
    with tarfile.open(path, mode) as file:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def tar_info(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_info(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def refused(archive, words, **more):
    """Refused with these words; the archive is all that is there, inside and one folder up."""
    folder = archive.parent
    before = sorted(folder.rglob("*")), sorted(folder.parent.iterdir())
    with pytest.raises(BadArchive, match=words) as error:
        unpack(archive, folder / "out", **more)
    assert "nothing was unpacked" in str(error.value)
    assert (sorted(folder.rglob("*")), sorted(folder.parent.iterdir())) == before


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "inner"
    place.mkdir()
    return place


GOOD = [("a/one.txt", b"1"), ("a/b/two.bin", bytes(3_000_000)), ("CT_COVID/2020.03%1 é.png", b"png")]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2"])
def test_a_plain_archive_comes_out_whole(folder, kind):
    modes = {"tar": "w:", "tar.gz": "w:gz", "tar.bz2": "w:bz2"}
    path = folder / f"x.{kind}"
    make_zip(path, GOOD) if kind == "zip" else make_tar(path, GOOD, modes[kind])
    seen = []
    found = unpack(path, folder / "out", Limits(ratio=1_000_000), lambda done, total: seen.append((done, total)))
    assert found == (3, 3_000_004) and seen[-1] == (3_000_004, 3_000_004)
    assert seen == sorted(seen)
    assert {p.relative_to(folder / "out").as_posix(): p.read_bytes() for p in (folder / "out").rglob("*.*")} == dict(
        GOOD
    )
    assert is_archive(path) and sorted(one.name for one in folder.iterdir()) == ["out", path.name]


def test_folders_links_and_modes_of_the_archive_mean_nothing(folder):
    members = [(tar_info("./", tarfile.DIRTYPE), b""), (tar_info("./a/", tarfile.DIRTYPE), b""), ("./a/x.sh", b"#!")]
    members[2] = (tar_info("./a/x.sh", tarfile.REGTYPE), b"#!")
    members[2][0].mode = 0o6777
    unpack(make_tar(folder / "x.tar.gz", members), folder / "out")
    assert stat.S_IMODE((folder / "out/a/x.sh").stat().st_mode) & 0o7111 == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leads out of the folder"),
        ("a/../../x", "leads out of the folder"),
        ("/etc/x", "is an absolute or Windows path"),
        ("//x", "is an absolute or Windows path"),
        ("C:/x", "is an absolute or Windows path"),
        ("..\\x", "is an absolute or Windows path"),
        ("a\nb", "has no name that can be written"),
        ("a" * 300, "has too long a name"),
        ("a/" * 50 + "x", "has too long a name"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_names_that_do_harm(folder, kind, name, words):
    members = [("good.txt", b"1"), (name, b"2")]
    make = make_zip if kind == "zip" else make_tar
    refused(make(folder / f"x.{kind}", members), words)


def test_a_name_that_hides_behind_a_nul(folder):
    path = make_zip(folder / "x.zip", [("good.png#../x", b"1")])
    path.write_bytes(path.read_bytes().replace(b"good.png#", b"good.png\0"))
    refused(path, "leads out of the folder|has no name")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is not a plain file"),
        (tarfile.FIFOTYPE, "is not a plain file"),
        (tarfile.GNUTYPE_SPARSE, "is not a plain file"),
    ],
)
def test_links_and_devices_in_a_tar(folder, kind, words):
    refused(make_tar(folder / "x.tar", [("good", b"1"), (tar_info("bad", kind, "/etc/passwd"), b"")], "w:"), words)


@pytest.mark.parametrize(
    ("mode", "words"), [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO | 0o644, "is not a plain file")]
)
def test_links_and_devices_in_a_zip(folder, mode, words):
    refused(make_zip(folder / "x.zip", [(zip_info("bad", mode), b"/etc/passwd")]), words)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("caf\u00e9", "cafe\u0301"), ("./a", "a")])
def test_twins(folder, names):
    refused(make_zip(folder / "x.zip", [(name, b"1") for name in names]), "is there twice")


def test_every_offender_is_named_up_to_five(folder):
    path = make_zip(folder / "x.zip", [(f"../{number}", b"1") for number in range(7)])
    refused(path, r"\.\./0 leads out.*\.\./4 leads out of the folder and 2 more")


def test_encrypted(folder):
    path = make_zip(folder / "x.zip", [("a", b"1")])
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    refused(path, "a is encrypted")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused_before_it_is_big(folder, kind):
    make = make_zip if kind == "zip" else make_tar
    path = make(folder / f"x.{kind}", [("zeros", bytes(200_000_000))])
    assert path.stat().st_size < 300_000
    started = time.monotonic()
    refused(path, "too much for its size")
    assert time.monotonic() - started < 5


def test_more_files_than_allowed(folder):
    path = make_zip(folder / "x.zip", [(str(number), b"") for number in range(101)])
    refused(path, "more than 100 files", limits=Limits(n_files=100))
    assert unpack(path, folder / "out", Limits(n_files=101)).n_files == 101


def test_one_file_larger_than_allowed(folder):
    refused(make_zip(folder / "x.zip", [("a", bytes(2000))]), "a would be", limits=Limits(largest=1999))


@pytest.mark.parametrize("size", [1, 2_000_000])
def test_a_zip_whose_sizes_lie(folder, size):
    path = make_zip(folder / "x.zip", [("a", bytes(range(256)) * 4000)])
    content = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(start) + offset
        content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(bytes(content))
    refused(path, "damaged", limits=Limits(ratio=10_000))


def test_a_tar_header_that_asks_for_all_memory(folder):
    """An extended header that says it is 3 GB long: it must not be read in one piece."""
    info = tar_info("pax", tarfile.XHDTYPE)
    info.size = 3_000_000_000
    (folder / "x.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    refused(folder / "x.tar", "damaged")


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_a_cut_archive(folder, kind, cut):
    content = zlib.compress(b"") + bytes(range(256)) * 300
    path = folder / f"x.{kind}"
    make_zip(path, [("a", content)]) if kind == "zip" else make_tar(
        path, [("a", content)], "w:gz" if "gz" in kind else "w:"
    )
    whole = path.read_bytes()
    size = len(whole) if kind != "tar" else 512 + len(content)  # a tar ends in zeros that nothing needs
    path.write_bytes(whole[: int(size * cut)])
    refused(path, "damaged|holds no file")


def test_a_flipped_bit_is_found(folder):
    path = make_zip(folder / "x.zip", [("a", bytes(range(256)) * 300)])
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(bytes(content))
    refused(path, "damaged")


def test_a_full_disk_is_told_before_anything_is_written(folder, monkeypatch):
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda place: SimpleNamespace(free=1_000_000))
    path = make_zip(folder / "x.zip", [("a", bytes(999_000))])
    with pytest.raises(CovauditError, match=r"has 1 MB free"):
        unpack(path, folder / "out", Limits(ratio=10_000))
    assert [one.name for one in folder.iterdir()] == ["x.zip"]


def test_a_folder_that_is_there_is_not_touched(folder):
    (folder / "out").mkdir()
    with pytest.raises(BadArchive, match="folder out is there already"):
        unpack(make_zip(folder / "x.zip", [("a", b"1")]), folder / "out")
    assert list((folder / "out").iterdir()) == []


def test_what_is_no_archive(folder):
    (folder / "x.zip").write_bytes(b"<html>Not found</html>")
    refused(folder / "x.zip", "damaged, or packed in a way that is not known")
    assert not is_archive(folder / "x.zip")


@pytest.mark.data
def test_archives_that_broke_other_projects(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the corpus is not beside the project")
    found = sorted(path for path in (SHARED / "corpus" / "archives").rglob("*") if path.is_file())
    assert len(found) >= 11
    for path in found:
        with pytest.raises(BadArchive):
            unpack(path, tmp_path / "deep" / "out")
        assert list(tmp_path.iterdir()) == [], path.name
