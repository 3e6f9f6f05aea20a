"""Facts worked out by hand, and the perceptual hash against ImageHash."""

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image

from covaudit.sources.facts import BLACK, area_mean, black_border, perceptual_hash, sharpness


def bits_apart(first, second):
    return (int(first, 16) ^ int(second, 16)).bit_count()


def smooth(seed, side):
    """A made-up picture with a few large shapes, as a radiograph has."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("seed", range(20))
def test_all_bits_are_imagehash_s_for_the_same_32_pixels(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (32, 32), np.uint8)
    assert perceptual_hash(noise) == str(imagehash.phash(Image.fromarray(noise)))


def test_from_a_large_picture_nearly_all_bits_are_imagehash_s():
    apart = [bits_apart(perceptual_hash(p), str(imagehash.phash(Image.fromarray(p)))) for p in map(large, range(30))]
    assert max(apart) <= 4 and np.mean(apart) < 1.5


def large(seed):
    return smooth(seed, 700)


def test_the_hash_survives_scaling_and_compression_and_tells_pictures_apart(encode):
    one, other = smooth(1, 512), smooth(2, 512)
    small = np.asarray(Image.fromarray(one).resize((200, 200), Image.Resampling.LANCZOS))
    assert bits_apart(perceptual_hash(one), perceptual_hash(small)) <= 2
    assert bits_apart(perceptual_hash(one), perceptual_hash(other)) > 10


def test_the_border_is_what_lies_outside_the_box():
    pixels = np.full((100, 200), BLACK - 1, np.uint8)
    assert black_border(pixels) == 1.0
    pixels[10:60, 20:120] = 90
    assert black_border(pixels) == pytest.approx(1 - 50 * 100 / 20_000)
    pixels[30, 40] = 0  # black inside the picture is no border
    assert black_border(pixels) == pytest.approx(0.75)
    pixels[0, 0] = pixels[-1, -1] = BLACK
    assert black_border(pixels) == 0.0


@pytest.mark.parametrize("size", [(24, 31), (32, 32), (33, 517), (224, 256), (401, 299), (700, 640)])
def test_sharpness_and_means_are_those_of_opencv(size):
    """Its Laplacian to the last digit; its area means but for halves, which it rounds as its order of sums has it."""
    for seed, blur in enumerate((0, 3)):
        pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
        pixels = cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels
        laplacian = cv2.Laplacian(pixels, cv2.CV_16S).astype(np.int64)
        assert sharpness(pixels) == pytest.approx(laplacian.std(), rel=1e-12)
        apart = np.abs(area_mean(pixels) - cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA).astype(int))
        assert apart.max() <= 1 and (apart > 0).mean() < 0.005


def test_a_flat_image_has_no_sharpness_and_a_lone_point_twenty_squares():
    """4 neighbours with 1, the point itself with -4: squares 4 + 16, and the sum is nought."""
    pixels = np.full((40, 50), 7, np.uint8)
    assert sharpness(pixels) == 0.0
    pixels[20, 20] = 8
    assert sharpness(pixels) == pytest.approx((20 / 2000) ** 0.5, rel=1e-12)
