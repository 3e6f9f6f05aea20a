"""DICOM: the order of its tables, what is refused before a pixel is decoded, and that nobody's name gets out."""

import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import MPEG4HP41, JPEGBaseline8Bit, RLELossless

from covaudit.errors import BadImage
from covaudit.sources.codestream import n_values
from covaudit.sources.images import open_image


def refused(data):
    with pytest.raises(BadImage) as caught:
        open_image(data)
    assert "Canary" not in str(caught.value) and "CANARY" not in str(caught.value)
    return caught.value.reason


def columns(*values, dtype=np.uint16):
    """One column of 32 pixels for each value."""
    return np.tile(np.array(values, dtype).repeat(32), (64, 1))


def seen(data):
    return open_image(data).pixels[0, ::32].tolist()


def test_plain_values_are_scaled_by_their_range(make_dicom):
    opened = open_image(make_dicom(columns(1000, 2000, 3000)))
    assert (opened.format, opened.width, opened.height) == ("DICOM", 96, 64)
    assert opened.pixels[0, ::32].tolist() == [0, 128, 255]


def test_monochrome1_is_the_twin_of_monochrome2(make_dicom):
    light = make_dicom(columns(0, 1000, 4000))
    dark = make_dicom(columns(4000, 3000, 0), PhotometricInterpretation="MONOCHROME1")
    assert seen(light) == seen(dark) == [0, 64, 255]
    assert open_image(dark).notes == ("inverted, for it is MONOCHROME1",)


def test_the_rescale_comes_before_the_window(make_dicom):
    """HU = stored - 2000; the window -600 +/- 800 is flat below -1400 and above 200 (PS3.3 C.11.2.1.2)."""
    window = {"WindowCenter": -600, "WindowWidth": 1600, "RescaleIntercept": -2000, "RescaleSlope": 1}
    assert seen(make_dicom(columns(0, 500, 1600, 2300, 3000), **window)) == [0, 0, 159, 255, 255]  # 255 * 1000 / 1599
    assert seen(make_dicom(columns(0, 1399, 1400, 3000), **window | {"WindowWidth": 1})) == [0, 0, 255, 255]


def test_signed_values(make_dicom):
    assert seen(make_dicom(columns(-1000, 0, 1000, dtype=np.int16))) == [0, 128, 255]


def test_a_voi_table_wins_over_the_window(make_dicom):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4, 0, 16], np.array([0, 60000, 30000, 10000], "<u2").tobytes()
    data = make_dicom(columns(0, 1, 2, 3), VOILUTSequence=Sequence([item]), WindowCenter=2, WindowWidth=4)
    assert seen(data) == [0, 255, 128, 42]  # 127.5 to even, 42.5 to even


def test_a_damaged_window_is_left_out_and_noted(make_dicom):
    opened = open_image(make_dicom(columns(0, 1, 2), WindowCenter=1, WindowWidth=0))
    assert opened.pixels[0, ::32].tolist() == [0, 128, 255]
    assert opened.notes == ("its display window is damaged and was left out",)


def test_padding_is_black_and_takes_no_part_in_the_range(make_dicom):
    data = make_dicom(columns(65535, 1000, 2000, 3000), PixelPaddingValue=65535)
    assert seen(data) == [0, 0, 128, 255]
    inverted = make_dicom(
        columns(65535, 1000, 2000, 3000), PixelPaddingValue=65535, PhotometricInterpretation="MONOCHROME1"
    )
    assert seen(inverted) == [0, 255, 127, 0]


def test_colour_is_its_luminance(make_dicom):
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    opened = open_image(make_dicom(red))
    assert opened.pixels[0, 0] == 76 and "colour turned to grey" in opened.notes


def test_run_length_encoding_gives_the_same_pixels(make_dicom):
    plain = make_dicom(columns(5, 50, 500))
    dataset = dcmread(BytesIO(plain))
    dataset.compress(RLELossless)
    packed = BytesIO()
    dataset.save_as(packed)
    assert np.array_equal(open_image(packed.getvalue()).pixels, open_image(plain).pixels)


def test_the_128_bytes_in_front_may_be_anything(make_dicom):
    data = make_dicom(columns(1, 2, 3))
    for front in (b"MZ", b"II*\0", b"<html>"):
        assert open_image(front + data[len(front) :]).format == "DICOM"


def test_a_deflated_bomb_is_refused_without_inflating(make_dicom):
    plain = make_dicom(columns(1, 2, 3))
    start = plain.index(b"\x08\0\x16\0")  # the first element after the meta group
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = deflater.compress(plain[start:]) + deflater.compress(bytes(2**26)) + deflater.flush()
    syntax = b"1.2.840.10008.1.2.1\0"
    long = b"1.2.840.10008.1.2.1.99"
    meta = plain[:start]
    at = meta.index(syntax)
    meta = meta[: at - 2] + len(long).to_bytes(2, "little") + long + meta[at + len(syntax) :]
    tracemalloc.start()
    try:
        assert refused(meta + bomb) == "dicom_deflated"
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Rows": 65535, "Columns": 65535}, "too_many_pixels"),
        ({"NumberOfFrames": "2000000000"}, "too_many_pixels"),
        ({"NumberOfFrames": "3"}, "dicom_many_frames"),
        ({"PixelData": None}, "dicom_no_image"),
        ({"Rows": None}, "dicom_no_image"),
        ({"Rows": 10}, "too_small"),
        ({"PixelData": bytes(100)}, "damaged"),
        ({"BitsAllocated": 7}, "damaged"),
        ({"PhotometricInterpretation": None}, "damaged"),
        ({"TransferSyntaxUID": MPEG4HP41, "PixelData": encapsulate([b"1234"])}, "dicom_compression"),
        ({"TransferSyntaxUID": JPEGBaseline8Bit, "PixelData": encapsulate([b"\xff\xd8\xff\xd9"])}, "dicom_undecodable"),
    ],
)
def test_what_cannot_be_one_picture_is_refused(make_dicom, elements, reason):
    try:
        data = make_dicom(columns(1, 2, 3), **elements)
    except AttributeError:
        pytest.skip("this pydicom does not write it")
    assert refused(data) == reason


def test_a_compressed_picture_larger_than_its_header_is_refused(make_dicom, encode):
    jpeg = encode(np.zeros((64, 96), np.uint8), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    lying = jpeg[:at] + (65000).to_bytes(2, "big") * 2 + jpeg[at + 4 :]
    data = make_dicom(np.zeros((64, 96), np.uint8), TransferSyntaxUID=JPEGBaseline8Bit, PixelData=encapsulate([lying]))
    assert refused(data) == "too_many_pixels"


def test_sizes_in_codestreams(encode):
    assert n_values(encode(np.zeros((30, 50), np.uint8), "JPEG")) == 30 * 50
    assert n_values(encode(np.zeros((30, 50, 3), np.uint8), "JPEG", progressive=True)) == 30 * 50 * 3
    buffer = BytesIO()
    Image.new("RGB", (50, 30)).save(buffer, "JPEG2000")
    assert n_values(buffer.getvalue()) == 30 * 50 * 3
    assert n_values(b"") == n_values(b"\xff\xd8") == n_values(bytes(100)) == 0


def test_deep_nesting_ends_as_a_refusal(make_dicom):
    inner = Dataset()
    inner.PatientComments = "x"
    for _ in range(60):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([inner])
        inner = outer
    data = make_dicom(columns(1, 2, 3), RequestAttributesSequence=Sequence([inner]))
    assert open_image(data).width == 96
    # far deeper than pydicom can write, so by hand: a sequence of undefined length in an item of undefined length
    opening = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    meta_end = data.index(b"\x08\0\x16\0")
    assert refused(data[:meta_end] + opening * 20_000) == "damaged"


def test_notes_tell_the_picture_s_facts_and_no_name(make_dicom):
    opened = open_image(make_dicom(columns(1, 2, 3), Modality="MR", BurnedInAnnotation="YES"))
    assert opened.notes == (
        "the header says modality MR, not a radiograph",
        "the header says that text is burned into the picture; it may name the patient",
    )
