"""What is done to pixels does what it says, on phantoms whose lungs, markers and frames are known."""

from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covaudit.domain.training import Preparation
from covaudit.errors import BadImage, JobFailed
from covaudit.sources.radiograph import Radiograph, open_radiograph
from covaudit.sources.readers import phantoms
from covaudit.training.clean import find_markers, inpaint_markers, remove_borders
from covaudit.training.pixels import build_pixels, reference_recipe
from covaudit.training.prepare import Recipe, equalise, levels_of, match_levels, prepare, scale

SOURCES = ("phantom-a", "phantom-b", "phantom-c", "phantom-d", "phantom-e")


def films(source: str, n: int = 2) -> list[Radiograph]:
    """`n` phantoms of each label."""
    return [open_radiograph(row) for row in phantoms.read(source).groupby("label").head(n).to_dict("records")]


def contrast(pixels: np.ndarray[Any, Any], box: np.ndarray[Any, Any]) -> float:
    """How steep edges in a marker's box are, in grey levels from pixel to pixel: the steepest tenth."""
    steps = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, np.ones((3, 3)))
    return float(np.quantile(steps[box], 0.9))


@pytest.fixture
def noise() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (90, 120)).astype(np.uint8)


def test_nearest_takes_pillows_pixels(noise: Any) -> None:
    expected = np.asarray(Image.fromarray(noise).resize((64, 64), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(scale(noise, 64, "nearest"), expected)


def test_clahe_is_that_of_the_lightness_of_lab(noise: Any) -> None:
    """The look-up tables against OpenCV's own way there and back, as paper 2's code goes."""
    lab = cv2.cvtColor(cv2.merge([noise] * 3), cv2.COLOR_BGR2LAB)
    lightness, a, b = cv2.split(lab)
    lightness = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(lightness)
    back = cv2.cvtColor(cv2.merge([lightness, a, b]), cv2.COLOR_LAB2BGR)
    np.testing.assert_array_equal(equalise(noise, 3.0, 8), cv2.cvtColor(back, cv2.COLOR_BGR2GRAY))
    assert equalise(noise, 0, 8) is noise


def test_the_papers_crop_is_40_pixels_at_the_start_and_30_at_the_end_of_768() -> None:
    ramp = np.tile(np.arange(768) / 3, (768, 1)).astype(np.uint8)
    asked = Preparation(interpolation="nearest", crop_start=40, crop_end=30)
    found = prepare(Radiograph(ramp), Recipe(698, asked)).pixels
    np.testing.assert_array_equal(found, ramp[40:738, 40:738])


def test_masks_move_with_the_crop() -> None:
    mask = np.zeros((768, 768), bool)
    mask[40:400, 40:400] = True
    film = Radiograph(np.zeros((768, 768), np.uint8), lung_mask=mask)
    bits = prepare(film, Recipe(349, Preparation(crop_start=40, crop_end=30))).bits
    assert bool((bits[:180, :180] & 1).all()) and not (bits[181:, 181:] & 1).any()


@pytest.mark.parametrize("source", SOURCES)
def test_markers_lose_their_contrast(source: str) -> None:
    """Known markers are gone, whatever their shape: plain letters, a disc, a plate, faint words."""
    for film in films(source):
        assert film.marker_mask is not None
        _, parts = cv2.connectedComponents(film.marker_mask.astype(np.uint8))
        cleaned = inpaint_markers(film).pixels
        for part in range(1, int(parts.max()) + 1):
            before, after = (contrast(pixels, parts == part) for pixels in (film.pixels, cleaned))
            assert before > 2 * after, (source, part, before, after)


def test_lead_markers_are_found_without_being_told_and_lungs_are_left_alone() -> None:
    for source in ("phantom-a", "phantom-b"):
        for film in films(source):
            assert film.marker_mask is not None and film.lung_mask is not None
            found = find_markers(film.pixels)
            lead = film.marker_mask & (film.pixels > np.quantile(film.pixels[film.marker_mask], [0.05, 0.98]).mean())
            assert found[lead].mean() > 0.9 and found[film.lung_mask].mean() < 0.02


def test_a_film_without_markers_is_left_as_it_is() -> None:
    film = Radiograph(cv2.GaussianBlur(films("phantom-a", 1)[0].pixels, (0, 0), 9))
    assert inpaint_markers(film) is film


@pytest.mark.parametrize("level", [2, 255])
def test_a_frame_goes_and_the_film_stays(level: int) -> None:
    """A frame of 20, 10, 15 and 5 pixels around a film whose every line varies."""
    inner = np.random.default_rng(1).integers(30, 200, (100, 120)).astype(np.uint8)
    framed = cv2.copyMakeBorder(inner, 20, 10, 15, 5, cv2.BORDER_CONSTANT, value=level)
    np.testing.assert_array_equal(remove_borders(Radiograph(framed)).pixels, inner)
    np.testing.assert_array_equal(remove_borders(Radiograph(inner)).pixels, inner)


def test_a_lung_mask_leaves_nothing_but_lungs_and_a_crop_their_box() -> None:
    for film in films("phantom-b", 1):
        masked = prepare(film, Recipe(128, Preparation(lungs="mask")))
        assert not masked.pixels[(masked.bits & 1) == 0].any() and masked.pixels[(masked.bits & 1) == 1].mean() > 20
        cropped = prepare(film, Recipe(128, Preparation(lungs="crop")))
        rows, columns = (np.flatnonzero((cropped.bits & 1).any(axis=axis)) for axis in (1, 0))
        # A margin of 5 % of the longer side of the box on each side.
        assert max(rows[0], columns[0]) < 12 and min(rows[-1], columns[-1]) > 115


def test_lungs_that_nobody_knows_are_said() -> None:
    film = Radiograph(np.full((64, 64), 90, np.uint8))
    with pytest.raises(BadImage, match="Where the lungs are is neither known nor found"):
        prepare(film, Recipe(64, Preparation(lungs="crop")))


def test_a_film_whose_lungs_are_not_found_is_left_out_of_the_run_and_stops_no_other(tmp_path: Any) -> None:
    rows = []
    for number, level in enumerate((60, 120)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 64), level, np.uint8))
        rows.append({"source": "s", "image_id": str(number), "path": str(tmp_path / f"{number}.png"),
                     "mask_path": None, "sha256": str(number)})  # fmt: skip
    finder = lambda film: np.ones((64, 64), bool) if film[0, 0] > 100 else None  # noqa: E731
    found = build_pixels(pd.DataFrame(rows), Recipe(64, Preparation(lungs="mask")), tmp_path, find_lungs=finder)
    assert list(found.unreadable) == [0] and "lungs" in found.unreadable[0]
    assert (found.pixels[1] == 120).all()


def test_lungs_are_asked_for_where_the_source_does_not_say(tmp_path: Any) -> None:
    """A finder that answers the left half: the mask keeps that half."""
    image = np.full((64, 64), 90, np.uint8)
    cv2.imwrite(str(tmp_path / "film.png"), image)
    half = np.arange(64) < 32
    row = {"source": "s", "image_id": "1", "path": str(tmp_path / "film.png"), "mask_path": None, "sha256": "0" * 64}
    recipe = Recipe(70, Preparation(lungs="mask"))
    found = build_pixels(pd.DataFrame([row]), recipe, tmp_path, find_lungs=lambda film: np.tile(half, (64, 1)))
    assert set(np.unique(found.pixels)) == {0, 90} or set(np.unique(found.pixels)) == {90}
    assert bool((found.regions & 1).any())


def test_matched_films_have_the_reference_distribution(tmp_path: Any) -> None:
    """Films of source c, far darker or lighter, come near the mean grey levels of source a."""
    table = pd.concat([phantoms.read(name).groupby("label").head(3) for name in ("phantom-a", "phantom-c")])
    table = table.assign(split="train").reset_index(drop=True)
    recipe = reference_recipe(table, Recipe(64, Preparation(match_source="phantom-a")), tmp_path)
    plain = build_pixels(table, Recipe(64), tmp_path).pixels
    matched = build_pixels(table, recipe, tmp_path).pixels
    is_c = (table["source"] == "phantom-c").to_numpy()
    assert recipe.levels == levels_of(plain[~is_c])

    def distance(pixels: Any) -> float:
        return float(np.abs(np.array(levels_of(pixels)) - np.array(recipe.levels)).max())

    assert distance(matched[is_c]) < 0.05 < distance(plain[is_c])
    with pytest.raises(JobFailed, match="No readable film of 'phantom-b'"):
        reference_recipe(table, Recipe(64, Preparation(match_source="phantom-b")), tmp_path)


def test_matching_keeps_the_order_of_grey_levels(noise: Any) -> None:
    matched = match_levels(noise, levels_of(noise[None] // 2)).astype(int)
    order = np.argsort(noise.ravel(), kind="stable")
    assert (np.diff(matched.ravel()[order]) >= 0).all() and matched.max() <= 128


def test_recipes_do_not_share_a_cache_and_the_plain_one_is_found_again(tmp_path: Any) -> None:
    table = phantoms.read("phantom-a").head(2)
    for recipe in (Recipe(32), Recipe(32, Preparation(clahe_clip=3)), Recipe(32), Recipe(32, Preparation(crop_end=30))):
        build_pixels(table, recipe, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
