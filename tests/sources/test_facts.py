"""Facts worked out by hand, and the perceptual hash against ImageHash."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from covaudit.sources.facts import BLACK, black_border, perceptual_hash


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
