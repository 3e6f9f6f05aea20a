"""How good the marker detector is: its recall on phantoms and on real films listed by hand, and its false alarms.

Films are looked at as a run with 224 px would see them. A listed thing is found where a third of its box is covered by
found boxes (boxes drawn by hand are loose); a film has a false alarm where a found box lies on nothing listed. Where
the lungs are not found the detector is not asked, so that what is on such a film counts as missed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.errors import BadSource, clip
from covaudit.explain.lungs import find_lungs
from covaudit.explain.markers import Box, find_markers
from covaudit.sources import phantom
from covaudit.sources.phantom.anatomy import whole_lungs
from covaudit.sources.phantom.patient import make_patient
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers import READERS
from covaudit.sources.readers.files import check_columns, read_csv
from covaudit.training.prepare import scale

SIDE = 224
KINDS = ("marker", "text")
FALSE_ALARM = "films with a false alarm"
_COVERED, _BESIDE = 1 / 3, 0.1
_COLUMNS = ("source", "image_id", "kind", "left", "top", "right", "bottom")

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Listed(NamedTuple):
    """A thing on a film: `kind` is 'marker', 'text', or 'object', which need not be found but may."""

    kind: str
    box: Box


class Count(NamedTuple):
    """Of `n` things of a group (a source) `hits` are as `what` says: a kind found, or films with a false alarm."""

    group: str
    what: str
    hits: int
    n: int


class Look(NamedTuple):
    """One film of a group: what is listed on it, and what was found."""

    group: str
    listed: Sequence[Listed]
    boxes: Sequence[Box]


def measure_phantoms(n: int = 30, side: int = SIDE, first: int = 1000) -> list[Count]:
    """On `n` phantoms of each style, numbers `first` and up; their lungs and markers are known."""
    return count_hits(
        (_look_at_phantom(name, seed, side) for name in phantom.STYLES for seed in range(first, first + n)), side
    )


def measure_films(root: Path, table: Path) -> list[Count]:
    """On the films of a table listed by hand, below `root`. Raises BadSource for a table or a film that is not there.

    Columns: source (a folder and its reader), image_id, kind, and left, top, right, bottom in fractions of the film's
    width and height; a film without anything has one row of the kind 'none'.
    """
    films = _read(table)
    paths = {name: _paths(root, name) for name in dict.fromkeys(source for source, _ in films)}
    missing = [image for source, image in films if image not in paths[source]]
    if missing:
        raise BadSource(f"{len(missing)} listed films are not there, among them {clip(missing[0], 100)}.")
    pixels = np.stack([_open(paths[source][image]) for source, image in films])
    lungs = find_lungs(pixels)
    looks = (
        Look(source, listed, find_markers(film, mask) if is_found else [])
        for ((source, _), listed), film, mask, is_found in zip(
            films.items(), pixels, lungs.masks, lungs.found, strict=True
        )
    )
    return count_hits(looks, SIDE)


def count_hits(looks: Iterable[Look], side: int) -> list[Count]:
    """Each group's counts, and those of all, of films of (side, side)."""
    hits: Counter[tuple[str, str, bool]] = Counter()
    for group, listed, boxes in looks:
        cover, there = _mask(boxes, side), _mask([box for _, box in listed], side)
        for kind, box in listed:
            if kind in KINDS:
                hits[group, kind, bool(_part(cover, box) >= _COVERED)] += 1
        hits[group, FALSE_ALARM, any(_part(there, box) < _BESIDE for box in boxes)] += 1
    groups = list(dict.fromkeys(group for group, _, _ in hits))
    counts = [
        Count(group, what, hits[group, what, True], n)
        for group in groups
        for what in (*KINDS, FALSE_ALARM)
        if (n := hits[group, what, True] + hits[group, what, False])
    ]
    return counts + [
        Count("all", what, sum(c.hits for c in counts if c.what == what), sum(c.n for c in counts if c.what == what))
        for what in (*KINDS, FALSE_ALARM)
    ]


def _look_at_phantom(name: str, seed: int, side: int) -> Look:
    style = phantom.STYLES[name]
    drawn = phantom.render("NOR", seed, style, side)
    kinds = [kind for kind, has in zip(KINDS, (style.marker, style.text), strict=True) if has]
    listed = [Listed(kind, Box(*box)) for kind, box in zip(kinds, drawn.marker_boxes, strict=True)]
    return Look(name, listed, find_markers(drawn.image, whole_lungs(make_patient(seed), side)))


def _read(table: Path) -> dict[tuple[str, str], list[Listed]]:
    """What is on each film, by source and image, in pixels of `SIDE`."""
    rows = read_csv(table)
    check_columns(rows, _COLUMNS, table.name)
    unknown = sorted(set(rows["source"]) - set(READERS)) + sorted(set(rows["kind"]) - {*KINDS, "object", "none"})
    if unknown:
        raise BadSource(
            f"The table {clip(table.name)} names {clip(str(unknown[0]), 40)}. A source is a collection's reader; a "
            "kind is marker, text, object or none."
        )
    edges = rows[list(_COLUMNS[3:])].apply(pd.to_numeric, errors="coerce") * SIDE
    films: dict[tuple[str, str], list[Listed]] = {}
    for row, (left, top, right, bottom) in zip(rows.to_dict("records"), edges.to_numpy(), strict=True):
        listed = films.setdefault((str(row["source"]), str(row["image_id"])), [])
        if row["kind"] != "none":
            box = Box(int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom)))
            listed.append(Listed(str(row["kind"]), box))
    return films


def _paths(root: Path, name: str) -> dict[str, str]:
    if not (root / name).is_dir():
        raise BadSource(f"{clip(root, 200)} has no folder {name}. Give the folder that holds the collections.")
    table = READERS[name].read(root / name, {}).table
    return dict(zip(table["image_id"], table["path"], strict=True))


def _open(path: str) -> Bytes:
    return scale(open_radiograph({"path": path, "mask_path": None}).pixels, SIDE)


def _mask(boxes: Iterable[Box], side: int) -> Mask:
    mask = np.zeros((side, side), dtype=np.bool_)
    for box in boxes:
        mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def _part(mask: Mask, box: Box) -> float:
    """Share of a box that a mask covers; 0 for a box of nothing."""
    inside = mask[box.top : box.bottom, box.left : box.right]
    return float(inside.mean()) if inside.size else 0.0
