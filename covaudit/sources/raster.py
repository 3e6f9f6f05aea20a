"""PNG, JPEG and TIFF to 8-bit grey, by Pillow. Only the plug-in of the format that the content shows is let near it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from covaudit.sources.grey import Decoded, Grey, stretch
from covaudit.sources.refusals import check_size, refuse, refusing_damage

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258


def open_raster(data: bytes, format: str) -> Decoded:
    """Grey levels, upright. Raises BadImage."""
    with _opened(data, format) as image:
        facts = _depth(image, data), len(image.getbands())
        if format == "JPEG" and image.mode == "RGB":
            image.draft("L", image.size)  # libjpeg then decodes the luminance alone: the same grey in half the time
            with suppress(OSError):
                return Decoded(*_decode(image), *facts)
    with _opened(data, format) as image:  # libjpeg refuses luminance alone for lossless JPEG
        return Decoded(*_decode(image), *facts)


def _depth(image: Image.Image, data: bytes) -> int:
    """From the header, for Pillow gives 16-bit colour the mode of 8-bit colour."""
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))[0])
    return data[24] if image.format == "PNG" and data[12:16] == b"IHDR" else 8


def _decode(image: Image.Image) -> tuple[Grey, list[str]]:
    notes = ["the first of several frames"] if getattr(image, "is_animated", False) else []
    image.load()
    upright = image
    if _orientation(image) not in (0, 1):
        upright = ImageOps.exif_transpose(image)
        notes.append("turned upright as its EXIF data says")
    return _to_grey(upright, notes), notes


@contextmanager
def _opened(data: bytes, format: str) -> Iterator[Image.Image]:
    with refusing_damage():
        try:
            image = Image.open(BytesIO(data), formats=(format,))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise refuse("too_many_pixels") from error
        with image:
            check_size(*image.size)
            yield image


def _orientation(image: Image.Image) -> int:
    """1 is upright; 0 where there is none or the EXIF data are damaged, which is no reason to refuse the pixels."""
    try:
        value = image.getexif().get(_ORIENTATION, 0)
    except Exception:
        return 0
    return value if isinstance(value, int) and 1 <= value <= 8 else 0


def _to_grey(image: Image.Image, notes: list[str]) -> Grey:
    if image.mode.startswith(("I", "F")):
        notes.append("more than 8 bits, scaled by the range of values")
        return stretch(np.asarray(image))
    if image.has_transparency_data:
        image = _on_black(image, notes)
    if image.mode == "LAB":  # Pillow converts it with a colour profile only; L is the lightness
        image = image.getchannel(0)
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return np.asarray(image if image.mode == "L" else image.convert("L"), dtype=np.uint8)


def _on_black(image: Image.Image, notes: list[str]) -> Image.Image:
    coloured = image.convert("RGBA")
    if coloured.getchannel("A").getextrema() == (255, 255):
        return coloured.convert("RGB")
    notes.append("transparent parts laid on black")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), coloured).convert("RGB")
