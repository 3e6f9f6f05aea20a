"""One image with its masks, from a file or drawn."""

import numpy as np
import pytest

from covaudit.domain.source import Source
from covaudit.errors import BadImage
from covaudit.sources.index import read_index
from covaudit.sources.radiograph import open_radiograph


def test_a_file_without_masks(make_file, encode, ramp):
    path = make_file("a.png", encode(ramp()))
    for nothing in (None, float("nan")):
        seen = open_radiograph({"path": str(path), "mask_path": nothing})
        assert np.array_equal(seen.pixels, ramp()) and seen[1:] == (None, None, None)


def test_a_lung_mask_is_scaled_to_its_image(make_file, encode, ramp):
    mask = np.zeros((32, 32), np.uint8)
    mask[:, 16:] = 255
    path, mask_path = make_file("a.png", encode(ramp())), make_file("m.png", encode(mask))
    seen = open_radiograph({"path": str(path), "mask_path": str(mask_path)})
    assert seen.lung_mask.shape == (64, 64) and seen.lung_mask.dtype == bool
    assert seen.lung_mask[:, 32:].all() and not seen.lung_mask[:, :32].any()


def test_a_lung_mask_of_another_form_is_not_used(make_file, encode, ramp):
    """A mask of 32 x 30 pixels was not drawn on a film of 64 x 64 pixels as it is now; 201 x 200 is rounding."""
    path = make_file("a.png", encode(ramp()))
    for shape, is_used in (((30, 32), False), ((200, 201), True)):
        mask_path = make_file("m.png", encode(np.full(shape, 255, np.uint8)))
        seen = open_radiograph({"path": str(path), "mask_path": str(mask_path)})
        assert (seen.lung_mask is not None) == is_used


def test_a_phantom_comes_with_its_truth():
    table = read_index(Source(name="phantom-a", reader="phantom")).table.set_index("image_id")
    ill, well = open_radiograph(table.loc["CVP/007"]), open_radiograph(table.loc["NOR/007"])
    assert ill.pixels.shape == (256, 256) and ill.pixels.dtype == np.uint8
    assert ill.lesion_mask.any() and not well.lesion_mask.any()
    assert 0.1 < ill.lung_mask.mean() < 0.6 and 0 < ill.marker_mask.mean() < 0.1
    assert np.array_equal(open_radiograph(table.loc["CVP/007"]).pixels, ill.pixels)
    assert not np.array_equal(open_radiograph(table.loc["CVP/008"]).pixels, ill.pixels)


def test_what_is_not_there_is_refused(make_file, tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to(make_file("a.png"))
    for path in (str(tmp_path / "gone.png"), str(link), "phantom:phantom-z/NOR/1", "phantom:phantom-a/NOR/x"):
        with pytest.raises(BadImage) as caught:
            open_radiograph({"path": path, "mask_path": None})
        assert str(tmp_path) not in str(caught.value)
