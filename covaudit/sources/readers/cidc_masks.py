"""Which lung masks of CIDC still lie on their films: half of the films were cropped after the masks were drawn.

V7 Labs' annotators saw the films at their first sizes. Later the margins of many were cut off in the collection, mostly
at the sides, and a mask scaled to such a film is too narrow and shifted. `cidc_sizes.csv` has the sizes of April 2020,
as published with the collection's lung bounding boxes (General Blockchain, 2 April 2020). A film that has them, or is
a smaller copy of a film that had them, is as the annotators saw it; of any other film the mask is not used. Decided by
sizes alone: a film that was cropped in proportion cannot be told from a smaller copy.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from PIL import Image

Size = tuple[int, int]


@cache
def first_sizes() -> Mapping[str, Size]:
    """Width and height in pixels of films by their file name, as the annotators saw them."""
    with Path(__file__).with_name("cidc_sizes.csv").open(newline="") as file:
        return {row["name"]: (int(row["width"]), int(row["height"])) for row in csv.DictReader(file)}


def masks_in_place(films: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, Path]:
    """The masks, by their films' names, that were drawn on the films as they are here.

    A collection made smaller has one limit of the longer side: what is below it was not made smaller. Masks of films
    whose first size is not known are kept, and so are those of files without a readable size.
    """
    sizes = {name: size for name in masks if (size := _size(films[name])) is not None}
    limit = max((max(size) for size in sizes.values()), default=0)
    first = first_sizes()
    return {
        name: mask
        for name, mask in masks.items()
        if name not in sizes or name not in first or is_whole(sizes[name], first[name], limit)
    }


def is_whole(size: Size, first: Size, limit: int) -> bool:
    """Whether a film of `size` can be the film of size `first`, or that made smaller to `limit` on its longer side."""
    if max(size) < limit:
        return size == first
    scale = max(size) / max(first)
    return all(abs(now - scale * then) <= 1 for now, then in zip(size, first, strict=True))


def _size(path: Path) -> Size | None:
    try:
        with Image.open(path, formats=("PNG", "JPEG", "TIFF")) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
