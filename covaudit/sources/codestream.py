"""What a compressed picture inside a DICOM file says of its own size, for the file's header may say another."""

from collections.abc import Iterator

_NOT_FRAMES = {0xC4, 0xC8, 0xCC}  # among the start-of-frame markers: tables and a reserved one


def n_values(codestream: bytes) -> int:
    """Columns x rows x components of a JPEG, JPEG-LS or JPEG 2000 codestream; 0 where it cannot be told."""
    start = codestream[:4096].find(b"\xff\x4f\xff\x51")
    if start >= 0:
        return _of_jpeg2000(codestream[start:])
    return max(_of_jpeg(codestream), default=0)


def _of_jpeg2000(codestream: bytes) -> int:
    columns, rows, left, top = (int.from_bytes(codestream[at : at + 4], "big") for at in (8, 12, 16, 20))
    n_components = int.from_bytes(codestream[40:42], "big")
    return max(0, columns - left) * max(0, rows - top) * n_components


def _of_jpeg(codestream: bytes) -> Iterator[int]:
    at = 2
    while at + 10 <= len(codestream) and codestream[at] == 0xFF:
        marker = codestream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES) or marker == 0xF7:
            rows, columns = (int.from_bytes(codestream[start : start + 2], "big") for start in (at + 5, at + 7))
            yield rows * columns * codestream[at + 9]
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
