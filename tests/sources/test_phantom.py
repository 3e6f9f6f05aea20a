import itertools
from dataclasses import replace

import numpy as np
import pytest

from covaudit.sources.phantom import (
    LABELS,
    STYLE_PARTS,
    STYLES,
    Border,
    Phantom,
    Style,
    Texture,
    Tone,
    render,
    swap_part,
)

SEEDS = (0, 3, 7, 11)
DISEASED = ("OBP", "OVP", "CVP")
LESION_SHARE = {"OBP": (0.05, 0.45), "OVP": (0.40, 0.95), "CVP": (0.15, 0.75)}  # of the lungs
A, B = STYLES["phantom-a"], STYLES["phantom-b"]
PLAIN = Style("plain", Tone(jitter=0.0), Texture(), Border(), None, None)  # attenuation, shown as it is


def inside(film: Phantom, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(film.image.shape, bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


def test_the_same_seed_gives_the_same_film() -> None:
    first, second = render("CVP", 5, A), render("CVP", 5, A)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.lesion_mask, second.lesion_mask)
    assert first[3:] == second[3:]


def test_another_seed_is_another_patient() -> None:
    first, second = render("NOR", 5, PLAIN), render("NOR", 6, PLAIN)
    assert first.patient != second.patient
    assert np.abs(first.image.astype(int) - second.image).mean() > 3


@pytest.mark.parametrize("size", [128, 256])
def test_shapes_and_types(size: int) -> None:
    film = render("CVP", 1, A, size)
    assert film.image.shape == film.lung_mask.shape == film.lesion_mask.shape == (size, size)
    assert film.image.dtype == np.uint8
    assert film.lung_mask.dtype == film.lesion_mask.dtype == np.bool_


def test_size_changes_resolution_and_not_the_patient() -> None:
    small, large = (render("CVP", 4, PLAIN, size).lung_mask for size in (128, 256))
    assert np.mean(small != large[::2, ::2]) < 0.02


def test_the_label_changes_nothing_outside_the_lesions() -> None:
    for seed, label, style in itertools.product(SEEDS[:2], DISEASED, (PLAIN, replace(A, texture=Texture(noise=0.02)))):
        healthy, ill = render("NOR", seed, style), render(label, seed, style)
        assert np.array_equal(healthy.image[~ill.lesion_mask], ill.image[~ill.lesion_mask])
        assert np.array_equal(healthy.lung_mask, ill.lung_mask)
        assert healthy[3:] == ill[3:]


def test_a_normal_film_has_no_lesion() -> None:
    assert not any(render("NOR", seed, A).lesion_mask.any() for seed in SEEDS)


@pytest.mark.parametrize("label", DISEASED)
def test_lesions_lie_in_the_lungs_and_brighten_them(label: str) -> None:
    for seed in SEEDS:
        healthy, ill = render("NOR", seed, PLAIN), render(label, seed, PLAIN)
        assert not (ill.lesion_mask & ~ill.lung_mask).any()
        low, high = LESION_SHARE[label]
        assert low < ill.lesion_mask.sum() / ill.lung_mask.sum() < high
        change = ill.image.astype(int) - healthy.image
        assert change[ill.lesion_mask].min() >= 0
        assert change[ill.lesion_mask].mean() > 8


def test_covid_is_on_both_sides_and_bacterial_pneumonia_mostly_on_one() -> None:
    for seed in SEEDS:
        shares = {}
        for label in ("CVP", "OBP"):
            halves = np.split(render(label, seed, PLAIN).lesion_mask, 2, axis=1)
            left, right = (half.sum() for half in halves)
            shares[label] = min(left, right) / (left + right)
        assert shares["CVP"] > 0.15
        assert shares["OBP"] < 0.10


def test_more_severe_is_brighter_and_no_severity_is_normal() -> None:
    films = [render("CVP", 2, PLAIN, severity=severity) for severity in (0.0, 0.5, 1.0)]
    means = [film.image[film.lung_mask].mean() for film in films]
    assert means[0] < means[1] < means[2]
    assert np.array_equal(films[0].image, render("NOR", 2, PLAIN).image)
    assert not films[0].lesion_mask.any()


def test_both_views_occur_whatever_the_label() -> None:
    views = {label: [render(label, seed, PLAIN, 32).view for seed in range(20)] for label in LABELS}
    assert set(views["NOR"]) == {"AP", "PA"}
    assert all(views[label] == views["NOR"] for label in LABELS)


@pytest.mark.parametrize("name", STYLES)
def test_marker_boxes_hold_all_that_was_stamped_and_spare_the_lungs(name: str) -> None:
    style = STYLES[name]
    for seed in SEEDS:
        stamped, bare = (render("NOR", seed, s) for s in (style, replace(style, marker=None, text=None)))
        boxes = stamped.marker_boxes
        assert len(boxes) == (style.marker is not None) + (style.text is not None)
        assert bare.marker_boxes == ()
        changed = stamped.image != bare.image
        assert not (changed & ~inside(stamped, *boxes)).any()
        for box in boxes:
            here = inside(stamped, box)
            assert changed[here].mean() > 0.1
            assert stamped.lung_mask[here].mean() < 0.1


@pytest.mark.parametrize("name", STYLES)
def test_the_border_is_dark_outside_its_box(name: str) -> None:
    style = replace(STYLES[name], marker=None, text=None)
    for seed in SEEDS:
        film = render("NOR", seed, style)
        frame = ~inside(film, film.border_box)
        assert not frame.any() or film.image[frame].max() <= round(255 * style.border.level) + 1


@pytest.mark.parametrize("part", STYLE_PARTS)
def test_swap_part_takes_one_part_and_nothing_else(part: str) -> None:
    donor = STYLES["phantom-d"]
    swapped = swap_part(A, donor, part)
    assert getattr(swapped, part) == getattr(donor, part)
    assert replace(swapped, **{part: getattr(A, part)}) == A


@pytest.mark.parametrize("part", ["marker", "text", "border"])
def test_a_swapped_part_leaves_the_other_pixels_alone(part: str) -> None:
    donor = STYLES["phantom-d"]
    for seed in SEEDS:
        before, after = render("CVP", seed, A), render("CVP", seed, swap_part(A, donor, part))
        touched = inside(before, *before.marker_boxes) | inside(after, *after.marker_boxes)
        if part == "border":
            touched = ~(inside(before, before.border_box) & inside(after, after.border_box))
            assert before.marker_boxes == after.marker_boxes
        changed = before.image != after.image
        assert changed.any()
        assert not (changed & ~touched).any()


def test_swapping_everything_is_the_other_machine() -> None:
    assert np.array_equal(render("CVP", 3, swap_part(A, B, "all")).image, render("CVP", 3, B).image)


def test_two_machines_see_the_same_patient() -> None:
    first, second = render("CVP", 9, A), render("CVP", 9, B)
    assert np.array_equal(first.lesion_mask, second.lesion_mask)
    assert (first.patient, first.view) == (second.patient, second.view)
    assert not np.array_equal(first.image, second.image)


def test_an_unknown_label_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"'COVID'.*NOR, OBP, OVP, CVP"):
        render("COVID", 0, A)


def test_an_unknown_part_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"'font'.*marker, text, border, tone, texture, all"):
        swap_part(A, B, "font")


def test_an_unknown_marker_shape_says_what_is_allowed() -> None:
    assert B.marker is not None
    style = replace(B, marker=replace(B.marker, shape="star"))
    with pytest.raises(ValueError, match=r"'star'.*plain, disc, plate, ring"):
        render("NOR", 0, style)
