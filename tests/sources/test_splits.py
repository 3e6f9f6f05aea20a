"""Train, val and internal: nobody on two sides, shares kept, always the same."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.experiment import Split
from covaudit.sources.groups import group_images
from covaudit.sources.splits import assign_splits


@pytest.fixture
def make(make_table):
    def build(*parts):
        """One part is (source, class, sizes of its patients)."""
        return pd.concat(
            [make_table(source, label, sizes).assign(class_name=label) for source, label, sizes in parts],
            ignore_index=True,
        )

    return build


def sides(table, split, column="patient"):
    """The parts in which each patient is seen."""
    keys = table["source"] + "/" + table[column]
    return pd.Series(split).groupby(keys.to_numpy()).nunique()


def test_shares_of_100_single_images_are_exact(make):
    table = make(("a", "NOR", [1] * 100), ("b", "CVP", [1] * 50))
    counts = Counter(zip(table["class_name"], assign_splits(table, Split(val=0.2, internal=0.3), seed=1), strict=True))
    assert counts == {
        ("NOR", "train"): 50,
        ("NOR", "val"): 20,
        ("NOR", "internal"): 30,
        ("CVP", "train"): 25,
        ("CVP", "val"): 10,
        ("CVP", "internal"): 15,
    }


def test_no_patient_is_on_two_sides_and_shares_hold_with_uneven_patients(make):
    sizes = np.random.default_rng(5).integers(1, 12, 60).tolist()
    table = make(("a", "NOR", sizes), ("a", "CVP", sizes[:20]), ("b", "CVP", sizes[20:45]))
    split = assign_splits(table, Split(), seed=3)
    assert (sides(table, split) == 1).all()
    for _, part in table.assign(split=split).groupby(["source", "class_name"]):
        shares = part["split"].value_counts(normalize=True)
        assert [shares["train"], shares["val"], shares["internal"]] == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


def test_three_patients_are_one_in_each_part(make):
    for sizes in ([1, 1, 1], [50, 1, 1], [9, 9, 9]):
        table = make(("a", "NOR", [1] * 40), ("a", "CVP", sizes))
        for seed in range(20):
            split = assign_splits(table, Split(), seed)
            parts = pd.Series(split)[table["class_name"] == "CVP"].groupby(table["patient"]).first()
            assert sorted(parts) == ["internal", "train", "val"]


def test_a_giant_among_three_is_trained_on(make):
    table = make(("a", "CVP", [50, 1, 1]), ("a", "NOR", [1] * 10))
    for seed in range(10):
        assert set(assign_splits(table, Split(), seed)[:50]) == {"train"}


def test_one_patient_is_trained_on(make):
    table = make(("a", "NOR", [1] * 30), ("a", "CVP", [4]))
    assert set(assign_splits(table, Split(), 0)[30:]) == {"train"}


def test_the_same_file_under_two_patients_links_them(make):
    table = make(("a", "NOR", [3] * 10), ("b", "NOR", [2] * 10))
    table.loc[table.index[0], "sha256"] = table["sha256"].iloc[-1]  # first patient of a, last of b
    table.loc[table.index[1], "sha256"] = table["sha256"].iloc[5]  # and the second of a
    linked = [0, 1, 2, 3, 4, 5, len(table) - 2, len(table) - 1]
    groups = group_images(table)
    assert len(set(groups[linked])) == 1 and len(set(groups)) == 18
    for seed in range(20):
        assert len(set(assign_splits(table, Split(), seed)[linked])) == 1


def test_patients_of_two_sources_may_share_a_name(make):
    table = make(("a", "NOR", [1]), ("b", "NOR", [1]))
    assert table["patient"].nunique() == 1 and len(set(group_images(table))) == 2


def test_a_patient_with_two_labels_stays_whole(make):
    table = make(("a", "OBP", [2] * 30), ("a", "OVP", [1] * 30))
    table["patient"] = table["patient"].str[4:]  # the same thirty people
    split = assign_splits(table, Split(), seed=0)
    assert (sides(table, split) == 1).all()
    assert Counter(split) == {"train": 54, "val": 18, "internal": 18}


def test_by_image_patients_are_divided(make):
    table = make(("a", "NOR", [10] * 10))
    split = assign_splits(table, Split(method="image"), seed=0)
    assert Counter(split) == {"train": 60, "val": 20, "internal": 20}
    assert sides(table, split).max() > 1


def test_the_same_seed_the_same_split(make):
    table = make(("a", "NOR", [1, 2, 3] * 30), ("b", "CVP", [2] * 40))
    first = assign_splits(table, Split(), seed=7)
    assert (assign_splits(table, Split(), seed=7) == first).all()
    assert (assign_splits(table, Split(), seed=8) != first).any()
