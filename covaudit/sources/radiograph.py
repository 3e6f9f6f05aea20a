"""One image of an index, with what its source says of regions: from a file, or drawn if it is a phantom."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.sources import phantom
from covaudit.sources.images import open_image, read_file
from covaudit.sources.readers import phantoms
from covaudit.sources.refusals import refuse

Mask = NDArray[np.bool_]

# Difference of the aspect ratios, as a logarithm; rounding to whole pixels makes 0.004 at 256 px.
_OTHER_FORM = 0.01


class Radiograph(NamedTuple):
    """Grey levels and masks, all (H, W); a mask is None where the source does not say."""

    pixels: NDArray[np.uint8]
    lung_mask: Mask | None = None
    lesion_mask: Mask | None = None
    marker_mask: Mask | None = None


def open_radiograph(row: Mapping[str, Any]) -> Radiograph:
    """The image of a row with `path` and `mask_path`. Raises BadImage with no path in its message.

    A file that has become a symbolic link since it was indexed is refused.
    """
    path = str(row["path"])
    if path.startswith(phantoms.SCHEME):
        return _draw(path)
    pixels = open_image(read_file(Path(path), follow_links=False)).pixels
    mask_path = row.get("mask_path")
    return Radiograph(pixels, _open_mask(mask_path, pixels.shape) if isinstance(mask_path, str) else None)


def _open_mask(path: str, shape: tuple[int, ...]) -> Mask | None:
    """None where the mask has another form than its image: one of the two was cropped, and they no longer match."""
    mask = open_image(read_file(Path(path), follow_links=False)).pixels
    if abs(np.log((mask.shape[1] / mask.shape[0]) / (shape[1] / shape[0]))) > _OTHER_FORM:
        return None
    if mask.shape != shape:
        mask = np.asarray(cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    return np.asarray(mask > 127)


def redraw(path: str, donor: str, part: str) -> Radiograph:
    """The phantom of a path with one of `phantom.STYLE_PARTS` (or 'all') of its acquisition from another source."""
    return _draw(path, donor, part)


def _draw(path: str, donor: str | None = None, part: str = "all") -> Radiograph:
    try:
        source, label, number = phantoms.parse(path)
        style = phantom.STYLES[source]
        if donor is not None:
            style = phantom.swap_part(style, phantom.STYLES[donor], part)
        drawn = phantom.render(label, phantoms.seed_of(source, label, number), style, phantoms.SIZE)
    except (KeyError, ValueError) as error:
        raise refuse("missing", "There is no such phantom.") from error
    markers = np.zeros(drawn.image.shape, dtype=bool)
    for left, top, right, bottom in drawn.marker_boxes:
        markers[top:bottom, left:right] = True
    return Radiograph(drawn.image, drawn.lung_mask, drawn.lesion_mask, markers)
