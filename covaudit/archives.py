"""Archives (zip, tar, tar.gz, tar.bz2) unpacked all or nothing: every member is judged before the first is written.

What is refused: names that lead out of the folder, links, devices, twins, encryption, bombs, sizes that lie. An archive
inside an archive is a file like any other and is not opened.
"""

import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple
from uuid import uuid4

from covaudit.errors import BadArchive, CovauditError, clip
from covaudit.tar_stream import tar_stream

GIB = 1 << 30
_CHUNK = 1 << 20
_FREE_RATIO = 1 << 20  # bytes that any archive may unpack to, however well it is packed
_SHOWN = 5
_DAMAGE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError,
    RuntimeError, KeyError, IndexError,
)  # fmt: skip

Progress = Callable[[int, int], None]


class Limits(NamedTuple):
    """What an archive may unpack to: files, bytes in all, bytes of one file, bytes for each byte of the archive."""

    n_files: int = 150_000
    n_bytes: int = 200 * GIB
    largest: int = 8 * GIB
    ratio: int = 100


LIMITS = Limits()


class Unpacked(NamedTuple):
    n_files: int
    n_bytes: int


class _Member(NamedTuple):
    """`problem` says what is wrong with it, '' for nothing; `open` gives its bytes."""

    name: str
    size: int
    is_folder: bool
    problem: str
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, place: Path, limits: Limits = LIMITS, progress: Progress | None = None) -> Unpacked:
    """Unpack into `place`, a folder that must not be there yet and is there, whole, only when all went well.

    `progress` is called with bytes written and bytes in all. Raises BadArchive, which names what is wrong with it, and
    CovauditError where the disk has no room.
    """
    if place.exists():
        raise BadArchive(f"The folder {clip(place.name)} is there already. Remove it, or choose another.")
    staging = place.with_name(f".{place.name}.{uuid4().hex[:8]}.part")
    with _opened(archive) as members:
        chosen = _judge(members, archive, limits)
        n_bytes = sum(member.size for member in chosen)
        check_room(place.parent, n_bytes)
        try:
            staging.mkdir(parents=True)
            with _refusing_damage(archive):
                _write_all(chosen, staging, n_bytes, progress)
            staging.rename(place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Unpacked(sum(not member.is_folder for member in chosen), n_bytes)


def is_archive(path: Path) -> bool:
    """Whether the file begins as a zip or a tar does."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error):
        return False


def size_words(n_bytes: float) -> str:
    """'1.2 GB', '35 MB', '1 MB' for less."""
    return f"{n_bytes / GIB:.1f} GB" if n_bytes >= GIB else f"{max(1, round(n_bytes / (1 << 20)))} MB"


def check_room(folder: Path, n_bytes: int) -> None:
    """Raises CovauditError unless the disk of `folder`, or of its nearest parent, has so many bytes and 5 % more."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < n_bytes * 1.05:
        raise CovauditError(
            f"The disk has {size_words(free)} free; {size_words(n_bytes * 1.05)} are needed. "
            "Make room, or use another disk."
        )


def _judge(members: Iterable[_Member], archive: Path, limits: Limits) -> list[_Member]:
    """All members, if each of them and all together may be unpacked."""
    chosen: list[_Member] = []
    offending: list[str] = []
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    n_bytes, most = 0, _most(archive, limits)
    for member in members:
        path = PurePosixPath(member.name)
        problem = member.problem or name_problem(member.name)
        if not problem and (path in files or (path in folders and not member.is_folder) or files & set(path.parents)):
            problem = "is there twice"
        if problem:
            offending.append(f"{clip(member.name, 60)} {problem}")
        (folders if member.is_folder else files).add(path)
        folders.update(path.parents)
        chosen.append(member)
        n_bytes += member.size
        if len(chosen) > limits.n_files:
            raise _refused(archive, [f"it has more than {limits.n_files:,} files"])
        if member.size > limits.largest:
            raise _refused(archive, [f"{clip(member.name, 60)} would be {size_words(member.size)}"])
        if n_bytes > most:
            raise _refused(archive, [f"it would unpack to more than {size_words(most)}, too much for its size"])
    if offending:
        raise _refused(archive, offending)
    if not files:
        raise _refused(archive, ["it holds no file"])
    return chosen


def _most(archive: Path, limits: Limits) -> int:
    return min(limits.n_bytes, max(_FREE_RATIO, limits.ratio * archive.stat().st_size))


def _refused(archive: Path, reasons: list[str]) -> BadArchive:
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return BadArchive(
        f"The archive {clip(archive.name)} is refused and nothing was unpacked: {'; '.join(reasons[:_SHOWN])}{more}. "
        "Get it again from where it is published."
    )


def name_problem(name: str) -> str:
    """What is wrong with a member's name, '' for nothing."""
    parts = name.split("/")
    if name.startswith("/") or PureWindowsPath(name).drive or "\\" in name:
        return "is an absolute or Windows path"
    if ".." in parts:
        return "leads out of the folder"
    if not name.strip("./") or any(not char.isprintable() for char in name):
        return "has no name that can be written"
    if len(parts) > 40 or any(len(part.encode("utf-8", "replace")) > 240 for part in parts):
        return "has too long a name"
    return ""


def _write_all(members: list[_Member], staging: Path, n_bytes: int, progress: Progress | None) -> None:
    written = 0
    for member in members:
        target = staging / member.name
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        left = member.size
        with member.open() as source, target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                file.write(chunk)
                written += len(chunk)
                if progress is not None:
                    progress(written, n_bytes)
        if left:
            raise ValueError("a member's size is not the one it says")


@contextmanager
def _refusing_damage(archive: Path) -> Iterator[None]:
    """Whatever a decompressor raises inside becomes BadArchive; a full disk is told as one."""
    try:
        yield
    except BadArchive:
        raise
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise CovauditError(f"The archive cannot be unpacked: {error.strerror}.") from error
        raise _refused(archive, ["it is damaged, or packed in a way that is not known here"]) from error


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    """The members of a zip or a tar, in order; damage met while they are listed is BadArchive too."""
    with _refusing_damage(archive), archive.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start[:2] == b"PK":
            with zipfile.ZipFile(file) as opened:
                yield _zip_members(opened)
        else:
            with tar_stream(file, start) as stream, tarfile.open(fileobj=stream, mode="r:") as opened_tar:
                yield _tar_members(opened_tar)


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        problem = (
            "is encrypted" if info.flag_bits & 0x1
            else "is a link" if kind == stat.S_IFLNK
            else "is not a plain file" if kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            else ""
        )  # fmt: skip
        name = _plain_name(info.orig_filename)  # `filename` ends at a NUL
        yield _Member(name, info.file_size, info.is_dir(), problem, partial(_zip_file, opened, info))


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        if info.isdir() and _plain_name(info.name) == ".":
            continue  # `tar -C folder .` begins so
        problem = (
            "is a link" if info.issym() or info.islnk()
            else "is not a plain file" if info.issparse() or not (info.isfile() or info.isdir())
            else ""
        )  # fmt: skip
        yield _Member(_plain_name(info.name), info.size, info.isdir(), problem, partial(_tar_file, opened, info))


def _plain_name(name: str) -> str:
    return unicodedata.normalize("NFC", name.removeprefix("./").rstrip("/"))


def _zip_file(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    return opened.open(info)


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    if file is None:
        raise ValueError("not a plain file")
    return file
