"""Copies of paper 2: as many as it says, never across splits, each a little different, masks with them."""

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.training import Copies
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers import phantoms
from covaudit.training.copies import add_copies, change
from covaudit.training.pixels import build_pixels
from covaudit.training.prepare import Recipe


@pytest.fixture
def samples() -> pd.DataFrame:
    """Paper 2's 58 COVID-19 films, 36 / 10 / 12, with ten normal ones in each split and five COVID-19 films outside."""
    table = phantoms.read("phantom-a")
    covid, normal = (table[table["label"] == label].reset_index(drop=True) for label in ("CVP", "NOR"))
    split = ["train"] * 36 + ["val"] * 10 + ["internal"] * 12 + ["external"] * 5
    parts = [
        covid.head(63).assign(split=split),
        normal.head(30).assign(split=np.repeat(["train", "val", "internal"], 10)),
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_papers_counts(samples: pd.DataFrame) -> None:
    found = add_copies(samples, Copies(), seed=0)
    counts = found[found["label"] == "CVP"]["split"].value_counts()
    assert counts.to_dict() == {"train": 540, "val": 150, "internal": 144, "external": 5}
    assert (found[found["label"] == "NOR"]["copy"] == "").all() and (found["label"] == "NOR").sum() == 30


def test_families_never_cross_a_split_and_originals_are_dropped(samples: pd.DataFrame) -> None:
    found = add_copies(samples, Copies(), seed=0)
    assert found.groupby("base_image")["split"].nunique().max() == 1
    copied = found[found["copy"] != ""]
    assert not set(copied["image_id"]) & set(samples["image_id"]) and found["image_id"].is_unique
    assert set(found["base_image"]) == set(samples["image_id"])


def test_without_copies_an_image_is_its_own_base(samples: pd.DataFrame) -> None:
    for asked in (None, Copies(train=0, test=0), Copies(label="OBP")):
        found = add_copies(samples, asked, seed=0)
        assert len(found) == len(samples) and (found["base_image"] == found["image_id"]).all()
        assert (found["copy"] == "").all()


def test_test_copies_change_less_than_training_copies() -> None:
    """Lung centres stay within the shift of 5 % of 256 px, the zoom and the turn; brightness within its range."""
    film = open_radiograph(phantoms.read("phantom-a").iloc[0])
    assert film.lung_mask is not None
    for kind, light in (("train", 0.1), ("test", 0.05)):
        for seed in range(12):
            copy = change(film, f"{kind}:{seed}")
            assert copy.lung_mask is not None and copy.marker_mask is not None
            rows = [np.argwhere(mask).mean(axis=0)[0] for mask in (film.lung_mask, copy.lung_mask)]
            assert abs(rows[1] - rows[0]) < 0.05 * 256 + 6
            inside = film.lung_mask & copy.lung_mask
            ratio = copy.pixels[copy.lung_mask].mean() / film.pixels[film.lung_mask].mean()
            assert inside.sum() > 0.6 * film.lung_mask.sum() and 1 - light - 0.02 < ratio < 1 + light + 0.02


def test_about_half_of_the_copies_are_mirrored() -> None:
    """The marker of source a is at the left; a mirrored copy has it at the right."""
    film = open_radiograph(phantoms.read("phantom-a").iloc[0])
    masks = [change(film, f"train:{seed}").marker_mask for seed in range(60)]
    right = [np.argwhere(mask).mean(axis=0)[1] > 128 for mask in masks if mask is not None]
    assert 15 <= sum(right) <= 45  # 3.9 standard deviations around 30


def test_the_same_copy_is_the_same_and_others_differ(samples: pd.DataFrame, tmp_path) -> None:
    found = add_copies(samples, Copies(train=3, test=2), seed=0)
    family = found[found["base_image"] == found["base_image"].iloc[0]]
    one, two = (build_pixels(family, Recipe(64), tmp_path / name).pixels for name in ("a", "b"))
    np.testing.assert_array_equal(one, two)
    assert len(family) == 3 and all(not np.array_equal(one[i], one[j]) for i in range(3) for j in range(i))
    other = add_copies(samples, Copies(train=3, test=2), seed=1)
    assert set(other["copy"]) & set(found["copy"]) == {""}
