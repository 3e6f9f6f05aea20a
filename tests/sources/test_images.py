"""The door: formats by content, sizes before pixels, grey without clipping, refusals in plain words."""

import os
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from covaudit.errors import BadImage
from covaudit.sources.images import REASONS, open_image, read_file


def refused(data):
    with pytest.raises(BadImage) as caught:
        open_image(data)
    assert caught.value.reason in REASONS
    assert "Traceback" not in str(caught.value) and "/" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_8_bit_grey_comes_back_as_written(encode, ramp, format):
    opened = open_image(encode(ramp(64, 70), format))
    assert np.array_equal(opened.pixels, ramp(64, 70))
    assert opened[1:] == (format, 70, 64, (), 8, 1)


def test_jpeg_is_the_grey_that_pillow_reads(encode, ramp):
    data = encode(ramp(), "JPEG")
    assert np.array_equal(open_image(data).pixels, np.asarray(Image.open(BytesIO(data))))


def test_colour_jpeg_is_its_luminance(encode):
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:] = (200, 100, 50)
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50  # 124.2
    assert np.abs(open_image(encode(colour, "JPEG", quality=95)).pixels - expected).max() <= 2


def test_colour_png_is_its_luminance(encode):
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:, :32], colour[:, 32:] = (255, 0, 0), (0, 255, 0)
    pixels = open_image(encode(colour)).pixels
    assert (pixels[0, 0], pixels[0, 63]) == (76, 150)  # 0.299 * 255, 0.587 * 255


def test_16_bits_are_scaled_by_range_and_keep_their_order(encode, ramp):
    values = ramp(64, 512, top=4095, dtype=np.uint16)
    opened = open_image(encode(values))
    assert (opened.pixels.min(), opened.pixels.max()) == (0, 255)
    assert opened.pixels[0, 256] == round(255 * int(values[0, 256]) / 4095)
    assert (np.diff(opened.pixels[0].astype(int)) >= 0).all()
    assert np.isin(opened.pixels, (0, 255)).mean() < 0.01
    assert "more than 8 bits, scaled by the range of values" in opened.notes


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_wide_values_with_a_negative_end(encode, dtype):
    values = np.array([[-1000, 0], [1000, 3000]], dtype=dtype).repeat(32, 0).repeat(32, 1)
    pixels = open_image(encode(values, "TIFF")).pixels
    assert [pixels[0, 0], pixels[0, 40], pixels[40, 0], pixels[40, 40]] == [0, 64, 128, 255]  # 63.75 and 127.5, to even


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(encode, bad):
    values = np.ones((64, 64), np.float32)
    values[3, 3] = bad
    assert refused(encode(values, "TIFF")) == "not_finite"


def test_the_largest_floats_do_not_overflow(encode):
    values = np.array([[-3e38, 3e38]], np.float32).repeat(64, 0).repeat(32, 1)
    assert set(np.unique(open_image(encode(values, "TIFF")).pixels)) == {0, 255}


def test_palette_one_bit_and_cmyk():
    grey = Image.fromarray(np.tile(np.array([0, 255], np.uint8).repeat(32), (64, 1)))
    for mode, format in (("P", "PNG"), ("1", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF")):
        image = grey.convert("RGB").convert(mode) if mode != "LAB" else Image.merge("LAB", [grey, grey, grey])
        buffer = BytesIO()
        image.save(buffer, format)
        pixels = open_image(buffer.getvalue()).pixels
        assert pixels[32, 5] <= 3 and pixels[32, 60] >= 252, (mode, format)


def test_transparent_parts_are_black(encode):
    values = np.full((64, 64, 4), 255, np.uint8)
    values[:, :32, 3] = 0
    values[:, 60:, 3] = 51  # a fifth
    opened = open_image(encode(values))
    assert [opened.pixels[0, column] for column in (0, 40, 63)] == [0, 255, 51]
    assert opened.notes == ("transparent parts laid on black",)


def test_an_opaque_alpha_channel_changes_nothing(encode, ramp):
    values = np.dstack([ramp()] * 3 + [np.full((64, 64), 255, np.uint8)])
    opened = open_image(encode(values))
    assert np.array_equal(opened.pixels, ramp()) and opened.notes == ()


def test_exif_turns_the_image_upright(encode, ramp):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: turn clockwise
    data = encode(ramp(70, 140), "JPEG", exif=exif, quality=95)
    opened = open_image(data)
    assert (opened.width, opened.height) == (70, 140)
    assert opened.pixels[0].mean() < 10 and opened.pixels[-1].mean() > 245  # left became top
    assert opened.notes == ("turned upright as its EXIF data says",)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_the_first_of_several_frames(format, ramp):
    buffer = BytesIO()
    first, second = Image.fromarray(ramp()), Image.fromarray(ramp()[:, ::-1])
    first.save(buffer, format, save_all=True, append_images=[second])
    opened = open_image(buffer.getvalue())
    assert np.array_equal(opened.pixels, ramp()) and opened.notes == ("the first of several frames",)


def test_what_looks_odd_is_noted(encode):
    assert open_image(encode(np.full((70, 70), 9, np.uint8))).notes == ("every pixel has the same value",)
    assert open_image(encode(np.eye(30, dtype=np.uint8))).notes == ("very small: 30 x 30 pixels",)
    assert open_image(encode(np.eye(64, 257, dtype=np.uint8))).notes == ("an unusual shape: 257 x 64 pixels",)
    assert open_image(encode(np.eye(64, 256, dtype=np.uint8))).notes == ()


def test_a_name_that_lies_is_noted(make_file, encode, ramp):
    assert open_image(make_file("a.png", encode(ramp(), "JPEG"))).notes == ("the name says PNG, the content is JPEG",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just some words\n", "text"),
        ("Fichier ém\n".encode(), "text"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "web_page"),
        (b"<?xml version='1.0'?><svg/>", "web_page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "lfs_pointer"),
        (b"GIF89a" + bytes(50), "other_format"),
        (b"%PDF-1.7" + bytes(50), "other_format"),
        (b"MZ" + bytes(50), "other_format"),
        (bytes(500), "not_an_image"),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "dicom_bare"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "damaged"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "damaged"),
        (b"II*\0" + bytes(60), "damaged"),
        (bytes(128) + b"DICM" + bytes(60), "damaged"),
    ],
)
def test_what_is_no_image_is_refused_in_its_own_words(data, reason):
    assert refused(data) == reason


def test_other_formats_never_reach_their_plug_in(ramp, tmp_path):
    """In a fresh process, so that no other test has loaded the plug-ins."""
    for format in ("BMP", "GIF", "PCX", "PPM", "TGA", "EPS", "PSD"):
        place = tmp_path / f"{format}.png"
        if format == "PSD":
            place.write_bytes(b"8BPS\0\1" + bytes(60))
        else:
            Image.fromarray(ramp()).save(place, format)
    code = (
        "import sys, pathlib; from covaudit.sources.images import open_image; from covaudit.errors import BadImage\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.png')):\n"
        "    try: open_image(path); print('opened', path.name)\n"
        "    except BadImage: pass\n"
        "print(sorted(n for n in sys.modules if n.startswith('PIL.') and n.endswith('ImagePlugin')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "opened" not in done.stdout
    for plug_in in ("Eps", "Psd", "Pcx", "Tga"):
        assert f"PIL.{plug_in}ImagePlugin" not in done.stdout


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_a_file_cut_off_is_refused_never_half_grey(encode, format):
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    data = encode(noise, format)
    for share in (0.3, 0.6, 0.9):
        assert refused(data[: int(len(data) * share)]) == "damaged"


def png_header(width, height):
    """A PNG that says its size and holds no pixel."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.filterwarnings("ignore:Image size")  # pytest undoes our filters
@pytest.mark.parametrize(("width", "height"), [(10_000, 5_001), (13_000, 13_000), (60_000, 60_000), (2**31 - 1, 9)])
def test_too_many_pixels_are_refused_from_the_header(width, height):
    assert refused(png_header(width, height) + png_chunk_end()) == "too_many_pixels"


def test_50_million_pixels_pass_the_header():
    assert refused(png_header(10_000, 5_000) + png_chunk_end()) == "damaged"  # it holds no pixel


def png_chunk_end():
    body = b"IDAT" + zlib.compress(b"")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def test_too_small(encode):
    assert refused(encode(np.zeros((23, 400), np.uint8))) == "too_small"
    assert open_image(encode(np.eye(24, dtype=np.uint8))).width == 24


def test_files_that_are_none(tmp_path, make_file):
    assert refused(tmp_path / "absent.png") == "missing"
    assert refused(tmp_path) == "not_a_file"
    assert refused(Path("bad\0name.png")) == "not_a_file"
    os.mkfifo(tmp_path / "pipe.png")
    assert refused(tmp_path / "pipe.png") == "not_a_file"  # and does not wait for a writer


def test_a_link_is_read_unless_told_not_to(make_file, tmp_path):
    target = make_file("a.png")
    (tmp_path / "link.png").symlink_to(target)
    assert read_file(tmp_path / "link.png") == target.read_bytes()
    with pytest.raises(BadImage) as caught:
        read_file(tmp_path / "link.png", follow_links=False)
    assert caught.value.reason == "not_a_file"


def test_too_many_bytes_is_refused_before_reading(tmp_path):
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**40)  # a sparse file of 1 TiB
    assert refused(tmp_path / "huge.png") == "too_many_bytes"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # pytest undoes our filters
def test_damaged_exif_does_not_cost_the_pixels(encode, ramp):
    data = encode(ramp(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20))
    assert open_image(data).pixels.shape == (64, 64)
