"""Why an image is refused: a closed list, each reason a code and a plain sentence."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from covaudit.errors import BadImage

MAX_PIXELS = 50_000_000  # the largest chest radiographs have about 20 million
MAX_BYTES = 256 * 2**20
MIN_SIDE = 24  # the smallest slice of COVID-CT is 53 x 26 pixels

REASONS: Mapping[str, str] = {
    "missing": "There is no such file. Check the name, or index the source again.",
    "not_a_file": "This is not a plain file. Give a PNG, JPEG, TIFF or DICOM file.",
    "no_permission": "The file may not be read. Change its permissions, or run CovAudit as its owner.",
    "empty": "The file is empty. Copy it again from where it came.",
    "too_many_bytes": f"The file is larger than {MAX_BYTES // 2**20} MiB. Save the image alone, in its own size.",
    "lfs_pointer": "This is a Git LFS pointer, not the image itself. Run 'git lfs pull' in the folder it came from.",
    "web_page": "This is a web page, not an image. Save the image itself from the page.",
    "text": "This is a text file, whatever its name says. Give a PNG, JPEG, TIFF or DICOM file.",
    "other_format": "Only PNG, JPEG, TIFF and DICOM are read. Save the image as PNG.",
    "not_an_image": "The content is no PNG, JPEG, TIFF or DICOM, whatever the name says. Save the image as PNG.",
    "damaged": "The image is damaged or cut off and cannot be read whole. Copy it again from where it came.",
    "too_many_pixels": f"Images have at most {MAX_PIXELS // 10**6} million pixels here. Scale it down, or cut it out.",
    "too_small": f"Each side must have at least {MIN_SIDE} pixels. Give the image in its own size.",
    "not_finite": "Some pixels are not numbers (NaN or infinite). Save the image again without them.",
    "too_slow": "Decoding took too long and was stopped. Save it as PNG, or try again when the machine is less busy.",
    "out_of_memory": "Decoding needs more memory than it is given. Save the image as 8-bit grey PNG.",
    "crashed": "The decoder broke down over this file; nothing else was touched. Save the image again as PNG.",
    "no_lungs": "Where the lungs are is neither known nor found. Leave the lungs as they are in the protocol.",
    "busy": "Too many images are being opened at this moment. Try again in a minute.",
    "dicom_bare": "This looks like DICOM without its file header. Save it as a DICOM file (Part 10).",
    "dicom_deflated": "Deflated DICOM is not read, for a small file may hide a huge one. Save it uncompressed.",
    "dicom_no_image": "This DICOM file holds no image: it is a report, a directory or the like. Give the image file.",
    "dicom_many_frames": "This DICOM file holds several frames or a film. Save one frame as a file of its own.",
    "dicom_compression": "This DICOM compression is not read. Save it uncompressed or as lossless JPEG 2000.",
    "dicom_undecodable": "The compressed picture in this DICOM file is damaged or of a rare kind. Save it unpacked.",
}

_log = logging.getLogger(__name__)

# Both libraries log what they warn of; as warnings it would reach the terminal once for every damaged file. Filters are
# set here, once, because `warnings.catch_warnings` is not safe in threads.
for _library in ("pydicom", "PIL"):
    warnings.filterwarnings("ignore", module=rf"{_library}(\.|$)")


def refuse(reason: str, came: str = "") -> BadImage:
    """The error for one of `REASONS`; `came` says in a sentence what came, where the reason alone does not."""
    sentence = REASONS[reason]
    return BadImage(reason, f"{came} {sentence}" if came else sentence)


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Whatever a decoder raises inside becomes BadImage: decoders raise nearly anything on damaged files."""
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except Exception as error:
        _log.info("refused as damaged: %s", type(error).__name__)
        raise refuse("damaged") from error


def check_size(width: int, height: int, n_values: int | None = None) -> None:
    """Raises BadImage unless the header's size may be decoded; `n_values` counts samples and frames too."""
    if width * height > MAX_PIXELS or (n_values or 0) > 3 * MAX_PIXELS:
        raise refuse("too_many_pixels", f"The image says it has {width} x {height} pixels.")
    if min(width, height) < MIN_SIDE:
        raise refuse("too_small", f"The image has {width} x {height} pixels.")
