"""Fetching a collection from a server on this machine: hashes, resuming, all or nothing."""

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from covaudit.errors import BadArchive, BadSource, CovauditError, UnknownName
from covaudit.sources import get as module
from covaudit.sources.downloads import DOWNLOADS, Download
from covaudit.sources.get import RECEIPT, get
from covaudit.sources.index import read_index


class Shelf:
    """What the server has and what it was asked. `breaks` are bytes after which an answer is cut off, one each."""

    def __init__(self):
        self.content, self.etag, self.status, self.asked, self.breaks, self.url = b"", '"one"', 200, [], [], ""
        self.has_length = True

    def answer(self, handler):
        self.asked.append(handler.headers.get("Range"))
        start = 0
        if self.asked[-1] and handler.headers.get("If-Range") == self.etag:
            start = int(self.asked[-1].removeprefix("bytes=").rstrip("-"))
        handler.send_response(self.status if self.status != 200 else 206 if start else 200)
        if self.has_length:
            handler.send_header("Content-Length", str(len(self.content) - start))
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.end_headers()
        rest = self.content[start:]
        handler.wfile.write(rest[: self.breaks.pop(0)] if self.breaks else rest)


@pytest.fixture
def shelf():
    shelf = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            shelf.answer(self)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shelf.url = f"http://127.0.0.1:{server.server_port}/master.zip"
    yield shelf
    server.shutdown()
    server.server_close()


@pytest.fixture
def image(encode, ramp):
    return lambda number: encode(ramp() // (number + 1))


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def hannover(image):
    return zipped(
        {
            "covid-19-image-repository-master/data.csv": "patient_id,image_id,projection\np1,a,pa\np2,b,ap\n",
            "covid-19-image-repository-master/png/a.png": image(0),
            "covid-19-image-repository-master/png/b.png": image(1),
        }
    )


def fetch(name, shelf, folder, **more):
    """`get` with the server's address in place of the collection's own."""
    download = DOWNLOADS[name]._replace(url=shelf.url, **more)
    seen = []
    found = get(name, folder / "here", folder / "cache", lambda *one: seen.append(one), {name: download})
    return found, seen


def test_a_collection_comes_checked_unpacked_and_read(shelf, tmp_path, hannover):
    shelf.content = hannover
    found, seen = fetch("hannover", shelf, tmp_path)
    assert read_index(found.source).table["patient"].tolist() == ["p1", "p2"]
    sha256 = hashlib.sha256(hannover).hexdigest()
    assert (found.sha256, found.n_bytes) == (sha256, len(hannover))
    receipt = json.loads((tmp_path / "here" / RECEIPT).read_text())
    assert (receipt["url"], receipt["sha256"], receipt["bytes"]) == (shelf.url, sha256, len(hannover))
    assert ("downloading", len(hannover), len(hannover)) in seen and seen[-1][0] == "unpacking"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cache", "here"]
    assert list((tmp_path / "cache").iterdir()) == []  # the archive is not kept twice


def test_the_slices_of_mgc_are_in_archives_of_their_own(shelf, tmp_path, image):
    inner = {
        name: zipped({f"{folder}/2020.03%{n}.png": image(n) for n in range(2)} | {f"__MACOSX/{folder}/._x.png": b"x"})
        for name, folder in (("CT_COVID.zip", "CT_COVID"), ("CT_NonCOVID.zip", "CT_NonCOVID"))
    }
    shelf.content = zipped({f"COVID-CT-master/Images-processed/{name}": content for name, content in inner.items()})
    found, _ = fetch("mgc", shelf, tmp_path)
    assert read_index(found.source).table["label"].value_counts().to_dict() == {"CVP": 2, "NCV": 2}


def test_a_connection_that_breaks_goes_on_where_it_stopped(shelf, tmp_path, hannover):
    shelf.content, shelf.breaks = hannover, [100, 50]
    fetch("hannover", shelf, tmp_path)
    assert shelf.asked == [None, "bytes=100-", "bytes=150-"]


def test_the_next_call_goes_on_where_the_last_one_stopped(shelf, tmp_path, hannover):
    shelf.content, shelf.breaks = hannover, [100, 0]
    with pytest.raises(CovauditError, match=r"The download stopped.*Call it again to go on"):
        fetch("hannover", shelf, tmp_path)
    assert not (tmp_path / "here").exists()
    fetch("hannover", shelf, tmp_path)
    assert shelf.asked == [None, "bytes=100-", "bytes=100-"]


def test_another_version_of_the_file_begins_anew(shelf, tmp_path, hannover):
    shelf.content, shelf.breaks = b"x" * 5000, [100, 0]
    with pytest.raises(CovauditError):
        fetch("hannover", shelf, tmp_path)
    shelf.content, shelf.etag = hannover, '"two"'
    found, _ = fetch("hannover", shelf, tmp_path)
    assert found.sha256 == hashlib.sha256(hannover).hexdigest()


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_server_that_does_not_name_its_version_is_asked_for_all_of_it(shelf, tmp_path, hannover, etag):
    shelf.content, shelf.breaks, shelf.etag, shelf.has_length = hannover, [], etag, False
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "hannover.archive.part").write_bytes(b"of another day")
    fetch("hannover", shelf, tmp_path)
    assert shelf.asked == [None]


def test_a_hash_that_is_known_is_checked(shelf, tmp_path, hannover):
    shelf.content = hannover
    fetch("hannover", shelf, tmp_path / "a", sha256=hashlib.sha256(hannover).hexdigest())
    with pytest.raises(CovauditError, match="is not what was published"):
        fetch("hannover", shelf, tmp_path / "b", sha256="0" * 64)
    assert [one.name for one in (tmp_path / "b").rglob("*")] == ["cache"]


def test_an_answer_that_is_an_error(shelf, tmp_path):
    shelf.status = 404
    with pytest.raises(CovauditError, match="the server answered 404"):
        fetch("hannover", shelf, tmp_path)
    assert [one.name for one in tmp_path.rglob("*")] == ["cache"]


def test_a_page_instead_of_an_archive_is_not_kept(shelf, tmp_path, hannover):
    shelf.content = b"<html>Please sign in</html>"
    with pytest.raises(BadArchive, match="damaged, or packed"):
        fetch("hannover", shelf, tmp_path)
    shelf.content, shelf.etag = hannover, '"two"'
    fetch("hannover", shelf, tmp_path)


def test_an_archive_that_does_harm_leaves_nothing(shelf, tmp_path):
    shelf.content = zipped({"a/data.csv": "x", "../../outside.txt": "x"})
    with pytest.raises(BadArchive, match="leads out of the folder"):
        fetch("hannover", shelf, tmp_path)
    assert [one.name for one in tmp_path.rglob("*")] == ["cache"]


def test_an_archive_with_another_layout_leaves_nothing(shelf, tmp_path, image):
    shelf.content = zipped({"master/data.csv": "patient_id,image_id\n", "master/png/a.png": image(0)})
    with pytest.raises(BadSource, match="found no image"):
        fetch("hannover", shelf, tmp_path)
    shelf.content, shelf.etag = zipped({"master/README": "moved"}), '"two"'
    with pytest.raises(BadSource, match=r"holds no folder \*/Images-processed"):
        fetch("mgc", shelf, tmp_path)
    assert not (tmp_path / "here").exists() and not list(tmp_path.glob(".here*"))


def test_no_room_is_told_before_anything_comes(shelf, tmp_path, hannover, monkeypatch):
    def full(folder, n_bytes):
        raise CovauditError(f"no room for {n_bytes}")

    shelf.content = hannover
    monkeypatch.setattr(module, "check_room", full)
    with pytest.raises(CovauditError, match=f"no room for {len(hannover)}"):
        fetch("hannover", shelf, tmp_path)


def test_a_folder_that_is_there_is_not_touched(shelf, tmp_path):
    (tmp_path / "here").mkdir()
    with pytest.raises(BadSource, match="here is there already"):
        fetch("hannover", shelf, tmp_path)
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chexpert", "needs a registration. Register at .*sources add chexpert FOLDER"),
        ("coronahack", "needs a Kaggle account"),
        ("chestxray8", "is by browser"),
    ],
)
def test_what_cannot_be_fetched_says_how_it_is_had(tmp_path, name, words):
    with pytest.raises(BadSource, match=words):
        get(name, tmp_path / "x", tmp_path)
    with pytest.raises(UnknownName):
        get("nothing", tmp_path / "x", tmp_path)


def test_the_command(shelf, tmp_path, hannover, monkeypatch):
    from typer.testing import CliRunner

    from covaudit.__main__ import app
    from covaudit.sources import downloads

    shelf.content = hannover
    monkeypatch.setenv("COVAUDIT_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.setitem(downloads.DOWNLOADS, "hannover", Download(shelf.url))  # type: ignore[arg-type]
    first = CliRunner().invoke(app, ["sources", "get", "hannover"])
    assert first.exit_code == 0 and "Licence: CC BY 3.0" in first.output and "Added hannover" in first.output
    shown = CliRunner().invoke(app, ["sources", "show", "hannover", "--json"])
    assert json.loads(shown.output)["counts"] == {"CVP": 2}
    again = CliRunner().invoke(app, ["sources", "get", "hannover"])
    assert again.exit_code == 2 and "is a source 'hannover' already" in again.output and len(shelf.asked) == 1
