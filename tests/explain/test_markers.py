"""The marker detector, and how it is measured."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from covaudit.errors import BadSource
from covaudit.explain.markers import Box, find_markers
from covaudit.explain.measure_markers import (
    FALSE_ALARM,
    Count,
    Listed,
    Look,
    count_hits,
    measure_films,
    measure_phantoms,
)
from covaudit.sources import phantom

REAL = Path(__file__).parents[3] / "shared" / "data"
LISTED = Path(__file__).with_name("real_markers.csv")


def test_hits_and_false_alarms_are_counted_film_by_film() -> None:
    """A box is found from a third of its area on: 12 of 30 columns are, 9 are not. A box on an object is no alarm."""
    marker, plate = Listed("marker", Box(10, 10, 40, 20)), Listed("object", Box(60, 60, 80, 80))
    looks = [
        Look("a", [marker, plate], [Box(10, 10, 22, 20), Box(62, 62, 70, 70)]),
        Look("a", [marker, Listed("text", Box(50, 5, 60, 9))], [Box(10, 10, 19, 20), Box(80, 10, 90, 20)]),
        Look("b", [], []),
    ]
    assert count_hits(looks, 100) == [
        Count("a", "marker", 1, 2), Count("a", "text", 0, 1), Count("a", FALSE_ALARM, 1, 2),
        Count("b", FALSE_ALARM, 0, 1),
        Count("all", "marker", 1, 2), Count("all", "text", 0, 1), Count("all", FALSE_ALARM, 1, 3),
    ]  # fmt: skip


def _film() -> tuple[np.ndarray, np.ndarray]:
    """A soft body between dark margins, with two lungs."""
    film = np.zeros((224, 224), np.uint8)
    film[20:, 30:194] = 150
    lungs = np.zeros(film.shape, np.uint8)
    for x in (75, 145):
        cv2.ellipse(lungs, (x, 120), (28, 60), 0, 0, 360, 1, cv2.FILLED)
    film[lungs > 0] = 60
    return cv2.GaussianBlur(film, (0, 0), 3), lungs > 0


@pytest.mark.parametrize("place", [(6, 30), (198, 60)])
def test_a_letter_beside_the_body_is_found_and_the_body_is_not(place: tuple[int, int]) -> None:
    film, lungs = _film()
    assert find_markers(film, lungs) == []
    cv2.putText(film, "R", place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 235, 2, cv2.LINE_AA)
    (box,) = find_markers(film, lungs)
    assert abs(box.left - place[0]) <= 4 and abs(box.bottom - place[1]) <= 4


def test_a_soft_bone_as_bright_as_a_letter_is_not_found() -> None:
    film, lungs = _film()
    bone = np.zeros(film.shape, np.float32)
    cv2.line(bone, (4, 40), (60, 24), 200, 9)
    film = np.maximum(film, cv2.GaussianBlur(bone, (0, 0), 3).astype(np.uint8))
    assert find_markers(film, lungs) == []


def test_a_table_of_markers_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("source,image_id,kind,left,top,right,bottom\ncxri,a.png,arrow,0,0,1,1\n")
    with pytest.raises(BadSource, match="names arrow"):
        measure_films(tmp_path, table)
    table.write_text("source,image_id,kind,left,top,right,bottom\ncxri,a.png,none,,,,\n")
    with pytest.raises(BadSource, match="no folder cxri"):
        measure_films(tmp_path, table)


@pytest.mark.slow
def test_markers_of_phantoms_of_every_style_are_found() -> None:
    """150 phantoms of 224 px; the record is in docs/real-audits.md."""
    counts = {(c.group, c.what): c.hits / c.n for c in measure_phantoms()}
    assert min(counts[style, "marker"] for style in phantom.STYLES) >= 0.8
    assert counts["all", "text"] >= 0.6
    assert counts["all", FALSE_ALARM] <= 0.05


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "cidc").is_dir(), reason="the real sources are not here")
def test_markers_of_real_films_listed_by_hand_are_found() -> None:
    """30 films that no number of the detector was chosen on; the record is in docs/real-audits.md."""
    counts = {(c.group, c.what): c for c in measure_films(REAL, LISTED)}
    assert counts["all", "marker"].hits / counts["all", "marker"].n >= 0.6
    assert counts["all", FALSE_ALARM].hits / counts["all", FALSE_ALARM].n <= 0.4
