"""The overlay shows heat where it is, and the radiograph where there is none."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from covaudit.explain.overlay import SHOWN_SIZE, colour_scale, grey_png, overlay, overlay_png


def _half_hot(size: int = 8) -> np.ndarray:
    heat = np.zeros((size, size), np.uint8)
    heat[:, size // 2 :] = 255
    return heat


def test_cold_pixels_stay_grey_and_hot_pixels_take_the_colour():
    pixels = np.full((8, 8), 100, np.uint8)
    drawn = overlay(pixels, _half_hot(), alpha=0.5)
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert drawn[0, 7].tolist() == [round(0.5 * 100 + 0.5 * int(c)) for c in colour_scale()[255]]


def test_no_opacity_is_the_image():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(overlay(pixels, _half_hot(), alpha=0.0), np.repeat(pixels[..., None], 3, 2))


def test_a_small_map_is_stretched_over_the_whole_image():
    heat = np.array([[0, 0], [0, 255]], np.uint8)
    drawn = overlay(np.zeros((64, 64), np.uint8), heat, alpha=1.0).astype(int).sum(axis=2)
    assert drawn[60, 60] > 400 and drawn[3, 3] == 0


def test_colours_grow_brighter_with_heat():
    brightness = colour_scale()[::8].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) > 0).all()  # jet, for one, rises and falls


@pytest.mark.parametrize("shape", [(64, 64), (100, 50), (400, 500)])
def test_png_is_lossless_and_large_enough_to_read(shape):
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    read = cv2.imdecode(np.frombuffer(grey_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert max(read.shape) == max(SHOWN_SIZE, *shape)
    if max(shape) > SHOWN_SIZE:
        assert np.array_equal(read, pixels)


def test_outline_is_drawn_at_the_edge_of_the_mask_only():
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    drawn = overlay(np.zeros((64, 64), np.uint8), np.zeros((8, 8), np.uint8), outline=mask)
    assert drawn[16, 30].any() and not drawn[32, 32].any() and not drawn[2, 2].any()


def test_png_bytes_are_a_png():
    assert overlay_png(np.zeros((16, 16), np.uint8), _half_hot()).startswith(b"\x89PNG")


def test_drawing_needs_no_torch():
    code = "import sys, covaudit.explain.overlay; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
