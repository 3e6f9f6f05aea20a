"""A tar as a stream of plain bytes, read in pieces of a reasonable size only."""

import bz2
import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

_LONGEST = 1 << 20  # tarfile reads a member's extended header in one piece


class _Bounded(io.RawIOBase):
    """A stream that refuses to read a huge piece at once: what a tar whose header lies about its size would ask for."""

    def __init__(self, stream: "BinaryIO | gzip.GzipFile | bz2.BZ2File") -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LONGEST:
            raise ValueError("a header of unreasonable size")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@contextmanager
def tar_stream(file: BinaryIO, start: bytes) -> Iterator[IO[bytes]]:
    """The plain tar in a file that begins with the bytes `start`, whether it is packed by gzip, bzip2 or not at all."""
    if start[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(IO[bytes], _Bounded(unzipped))
    elif start[:3] == b"BZh":
        with bz2.BZ2File(file) as unzipped:
            yield cast(IO[bytes], _Bounded(unzipped))
    else:
        yield cast(IO[bytes], _Bounded(file))
