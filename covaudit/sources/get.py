"""Fetch a collection that is open to all: resumed, checked, unpacked all or nothing.

What was fetched, from where, when and with which SHA-256 is kept beside the images in `.covaudit-source.json`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pooch
import requests

from covaudit.archives import check_room, unpack
from covaudit.domain.source import Source
from covaudit.errors import BadArchive, BadSource, CovauditError, UnknownName, clip
from covaudit.sources.cards import COLLECTIONS
from covaudit.sources.catalog import add_source
from covaudit.sources.downloads import DOWNLOADS, Download

pooch.get_logger().setLevel("WARNING")  # progress is told otherwise

RECEIPT = ".covaudit-source.json"
_CHUNK = 1 << 20
_TRIES = 5
_TIMEOUT_S = (20, 60)

OnProgress = Callable[[str, int, int | None], None]
"""Called with 'downloading' or 'unpacking', bytes done, and bytes in all where they are known."""


class Fetched(NamedTuple):
    source: Source
    sha256: str
    n_bytes: int


def get(
    name: str,
    place: Path,
    cache: Path,
    on_progress: OnProgress = lambda stage, done, total: None,
    downloads: Mapping[str, Download] = DOWNLOADS,
) -> Fetched:
    """Fetch the collection `name` into `place`, a folder that must not be there yet, and read it.

    `cache` keeps a download that broke off, to go on from there. The folder is there only when all of it is. Raises
    CovauditError, BadArchive and BadSource with what to do, UnknownName for a collection that is not known.
    """
    download = _find(name, downloads)
    if place.exists():
        raise BadSource(f"The folder {clip(place.name)} is there already. Remove it, or name another with --path.")
    archive = cache / f"{name}.archive"
    sha256 = fetch(download.url, archive, download.sha256, lambda done, total: on_progress("downloading", done, total))
    n_bytes = archive.stat().st_size
    staging = place.with_name(f".{place.name}.{uuid4().hex[:8]}.part")
    try:
        root = _unpack(archive, staging, download, lambda done, total: on_progress("unpacking", done, total))
        found = add_source(name, root, name)
        _write_receipt(staging, name, download.url, sha256, n_bytes)
        staging.rename(place)
    except BadArchive:
        archive.unlink(missing_ok=True)  # what came is no good, so the next try begins anew
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    archive.unlink(missing_ok=True)
    there = place.resolve() / root.resolve().relative_to(staging.resolve())
    return Fetched(found.model_copy(update={"path": str(there)}), sha256, n_bytes)


def _find(name: str, downloads: Mapping[str, Download]) -> Download:
    if name in downloads:
        return downloads[name]
    card = next((card for card in COLLECTIONS if card.name == name), None)
    if card is None:
        raise UnknownName("collection", name, downloads)
    how = {"registration": "needs a registration", "kaggle": "needs a Kaggle account"}.get(card.access, "is by browser")
    raise BadSource(
        f"{card.title} cannot be fetched by a program: it {how}. {card.obtain}. "
        f"Then: python -m covaudit sources add {name} FOLDER."
    )


def fetch(url: str, target: Path, sha256: str | None, on_progress: Callable[[int, int | None], None]) -> str:
    """The file at `url` as `target`, its SHA-256 checked where one is known; going on where an earlier try ended.

    Raises CovauditError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        pooch.retrieve(
            url,
            f"sha256:{sha256}" if sha256 else None,
            target.name,
            target.parent,
            downloader=_Resuming(target, on_progress),
        )
    except requests.RequestException as error:
        raise CovauditError(f"The download stopped: {_why(error)}. Call it again to go on where it stopped.") from error
    except ValueError as error:  # pooch's, when the hash is another
        raise CovauditError(
            f"What came from {clip(url)} is not what was published: its SHA-256 is another. It was thrown away. Try "
            "again; if it stays so, the publisher changed the file."
        ) from error
    return str(pooch.file_hash(str(target), alg="sha256"))


def _why(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return "the server did not answer" if isinstance(error, requests.Timeout) else "the connection broke"


class _Resuming:
    """A downloader for pooch that keeps what has come, and asks for the rest when the file is still the same one."""

    def __init__(self, target: Path, on_progress: Callable[[int, int | None], None]) -> None:
        self._part = target.with_name(f"{target.name}.part")
        self._mark = target.with_name(f"{target.name}.mark")
        self._on_progress = on_progress

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> bool | None:
        for attempt in range(_TRIES):
            before = self._size()
            try:
                self._continue(url)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == _TRIES - 1 or self._size() <= before:
                    raise  # nothing more comes
        self._part.replace(output_file)
        self._mark.unlink(missing_ok=True)
        return None

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _continue(self, url: str) -> None:
        have, mark = self._size(), self._mark.read_text() if self._mark.is_file() else ""
        asked = {"Accept-Encoding": "identity"}
        if have and mark:
            asked |= {"Range": f"bytes={have}-", "If-Range": mark}
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()  # it is longer than the file: begin anew
                return self._continue(url)
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            done = have if goes_on else 0
            self._mark.write_text(_mark_of(answer))
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length and length.isdigit() else None
            check_room(self._part.parent, (total or 0) - done)
            answer.raw.enforce_content_length = False  # else what came before a break is lost; it is checked below
            with self._part.open("ab" if goes_on else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    self._on_progress(done, total)
        if total is not None and done < total:
            raise requests.ConnectionError("ended early")
        return None


def _mark_of(answer: requests.Response) -> str:
    """What tells one version of the file from another: its ETag, if that is a strong one, else its date."""
    etag = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _unpack(archive: Path, staging: Path, download: Download, on_progress: Callable[[int, int], None]) -> Path:
    """Unpack the archive, and those inside it that hold the images; the folder for the reader."""
    unpack(archive, staging, progress=on_progress)
    root = next((place for place in sorted(staging.glob(download.root)) if place.is_dir()), None)
    root = staging if download.root == "." else root
    if root is None:
        raise BadSource(f"The archive holds no folder {download.root}; its publisher changed it. Get it by browser.")
    for name in download.nested:
        if not (root / name).is_file():
            raise BadSource(f"The archive holds no {name}; its publisher changed it. Get it by browser.")
        unpack(root / name, root / f"{name}.unpacked", progress=on_progress)
    return root


def _write_receipt(folder: Path, name: str, url: str, sha256: str, n_bytes: int) -> None:
    receipt = {
        "collection": name, "url": url, "sha256": sha256, "bytes": n_bytes,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n")
