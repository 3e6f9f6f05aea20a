"""Each image of a run decoded once, to one memory-mapped array that epochs, heat maps and pages read."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from covaudit.errors import BadImage, JobFailed, clip
from covaudit.sources.radiograph import Radiograph, open_radiograph
from covaudit.training.copies import change
from covaudit.training.pixel_cache import evict, in_order
from covaudit.training.prepare import Prepared, Recipe, levels_of, prepare
from covaudit.training.resident import release

_ARRAYS = ("pixels", "regions")
_KEPT_RESIDENT = 256  # films whose pixels stay in memory while the arrays are filled
_REFERENCES = 200  # films that the grey levels of a reference source are taken from

Bytes = NDArray[np.uint8]
OnProgress = Callable[[int, int], None]
FindLungs = Callable[[Bytes], NDArray[np.bool_] | None]
"""From a film (H, W) to its lungs, or None where they are not found."""


class PixelSet(NamedTuple):
    """Rows as in the samples table.

    `pixels` is (N, S, S) grey levels; `regions` is (N, S, S) bits of `covaudit.domain.regions`. `unreadable` maps row
    numbers to a plain sentence; those rows are blank.
    """

    pixels: Bytes
    regions: Bytes
    unreadable: dict[int, str]


def build_pixels(
    samples: pd.DataFrame,
    recipe: Recipe,
    cache: Path,
    on_progress: OnProgress = lambda done, total: None,
    find_lungs: FindLungs | None = None,
) -> PixelSet:
    """Open every sample and prepare it by the recipe; a second call with the same images reads the cache.

    The order of the rows does not matter to the cache, so that the folds of a run decode once.

    `find_lungs` is asked where the recipe needs the lungs and the source does not say.
    """
    lines = _lines(samples)
    by_content = np.argsort(lines, kind="stable")
    folder = cache / _key(lines[by_content], recipe)
    if not (folder / "unreadable.json").exists():
        _decode(samples.iloc[by_content], recipe, folder, on_progress, find_lungs)
        evict(cache, keep=folder)
    unreadable = json.loads((folder / "unreadable.json").read_text())
    os.utime(folder)  # the cache is evicted by age of last use
    pixels, regions = (in_order(folder, name, np.argsort(by_content)) for name in _ARRAYS)
    return PixelSet(
        pixels, regions, {int(by_content[int(row)]): sentence for row, sentence in sorted(unreadable.items())}
    )


def reference_recipe(samples: pd.DataFrame, recipe: Recipe, cache: Path, find_lungs: FindLungs | None = None) -> Recipe:
    """The recipe with the grey levels of its reference source, from at most 200 films of the train split.

    Raises:
        JobFailed: the reference source has no readable film in the train split.
    """
    source = recipe.preparation.match_source
    if not source:
        return recipe
    films = samples[(samples["source"] == source) & (samples["split"] == "train")].head(_REFERENCES)
    plain = recipe.preparation.model_copy(update={"match_source": "", "lungs": "as they are"})
    found = build_pixels(films, Recipe(recipe.size, plain), cache, find_lungs=find_lungs)
    readable = [row for row in range(len(films)) if row not in found.unreadable]
    if not readable:
        raise JobFailed(
            f"No readable film of '{clip(source)}', the reference of the grey levels, is in the train split."
        )
    return recipe._replace(levels=levels_of(found.pixels[readable]))


def _lines(samples: pd.DataFrame) -> NDArray[np.str_]:
    """What each sample's pixels depend on: the image's content, its mask and the copy made of it."""
    masks = samples["mask_path"].fillna("").astype(str)
    copies = " " + samples["copy"] if "copy" in samples and samples["copy"].any() else ""
    return np.array((samples["sha256"].astype(str) + " " + masks + copies).tolist(), dtype=np.str_)


def _key(lines: NDArray[np.str_], recipe: Recipe) -> str:
    """Hash of the samples' lines and the recipe."""
    return hashlib.sha256("\n".join([recipe.key(), *lines]).encode()).hexdigest()[:24]


def _decode(
    samples: pd.DataFrame, recipe: Recipe, folder: Path, on_progress: OnProgress, find_lungs: FindLungs | None
) -> None:
    building = folder.with_name(f"{folder.name}.{uuid4().hex[:8]}.part")
    building.mkdir(parents=True)
    try:
        shape = (len(samples), recipe.size, recipe.size)
        pixels, regions = (open_memmap(building / f"{name}.npy", "w+", np.uint8, shape) for name in _ARRAYS)
        unreadable = _fill(samples, recipe, pixels, regions, on_progress, find_lungs)
        pixels.flush()
        regions.flush()
        (building / "unreadable.json").write_text(json.dumps(unreadable))
        if not folder.exists():
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _fill(
    samples: pd.DataFrame, recipe: Recipe, pixels: Bytes, regions: Bytes, on_progress: OnProgress,
    find_lungs: FindLungs | None,
) -> dict[int, str]:  # fmt: skip
    unreadable: dict[int, str] = {}
    rows = samples.assign(copy=samples.get("copy", ""))[["source", "image_id", "path", "mask_path", "copy"]]
    open_one = partial(_open, recipe=recipe, find_lungs=find_lungs)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for number, opened in enumerate(pool.map(open_one, rows.to_dict("records"))):
            if isinstance(opened, Prepared):
                pixels[number], regions[number] = opened
            else:
                unreadable[number] = opened
            if number % _KEPT_RESIDENT == 0:
                release(pixels)
                release(regions)
            on_progress(number + 1, len(rows))
    return unreadable


def _open(row: Mapping[Any, Any], recipe: Recipe, find_lungs: FindLungs | None) -> Prepared | str:
    try:
        film = open_radiograph(row)
        film = change(film, row["copy"]) if row["copy"] else film
        return prepare(_with_lungs(film, recipe, find_lungs), recipe)
    except BadImage as error:
        return str(error)


def _with_lungs(film: Radiograph, recipe: Recipe, find_lungs: FindLungs | None) -> Radiograph:
    if recipe.preparation.lungs == "as they are" or film.lung_mask is not None or find_lungs is None:
        return film
    return film._replace(lung_mask=find_lungs(film.pixels))
