"""Train, val and internal: nobody on two sides, shares kept, always the same."""

import json
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


SIZES = {  # CVR-Net, Table 2 and 3: images of a class, and how many are trained on, validated on and tested on
    5856: (3514, 1171, 1171), 500: (300, 100, 100), 7864: (4719, 1573, 1572), 4015: (2409, 803, 803),
    1227: (737, 245, 245), 1252: (752, 250, 250), 1583: (951, 316, 316), 4273: (2565, 854, 854),
    3591: (2155, 718, 718), 4595: (2757, 919, 919), 2780: (1668, 556, 556), 1493: (897, 298, 298),
}  # fmt: skip


def sizes_of(split, table):
    """{class: (train, val, internal)}."""
    counts = pd.crosstab(table["class_name"], split).reindex(columns=["train", "val", "internal"], fill_value=0)
    return {name: tuple(row) for name, row in zip(counts.index, counts.to_numpy().tolist(), strict=True)}


def test_the_papers_rule_gives_the_printed_sizes(make):
    table = make(*(("a", str(n), [1] * n) for n in SIZES))
    assert sizes_of(assign_splits(table, Split(method="paper"), 3), table) == {str(n): t for n, t in SIZES.items()}


def test_five_folds_of_the_papers_rule_test_every_image_once(make):
    table = make(("a", "NOR", [1] * 7), ("b", "NOR", [1] * 6), ("b", "CVP", [1] * 11))
    split = Split(method="paper", folds=5)
    folds = [assign_splits(table, split, 0, fold) for fold in range(5)]
    assert [sizes_of(fold, table) for fold in folds] == [  # 13 are 3 3 3 2 2, 11 are 3 2 2 2 2
        {"NOR": (9, 2, 2), "CVP": (7, 2, 2)},
        {"NOR": (8, 2, 3), "CVP": (6, 2, 3)},
        {"NOR": (7, 3, 3), "CVP": (6, 3, 2)},
        {"NOR": (7, 3, 3), "CVP": (7, 2, 2)},
        {"NOR": (8, 3, 2), "CVP": (7, 2, 2)},
    ]
    for part in ("val", "internal"):
        assert (sum((fold == part).astype(int) for fold in folds) == 1).all()


def test_the_papers_rule_divides_patients(make):
    table = make(("a", "NOR", [10] * 10))
    assert sides(table, assign_splits(table, Split(method="paper"), seed=0)).max() > 1


@pytest.mark.data
def test_all_sizes_of_the_paper(shared, make):
    """Synthetic sources of the printed sizes, one patient an image, by the split that each set-up used."""
    setups = json.loads((shared / "papers" / "golden.json").read_text())["paper1"]["setups"]
    for setup in setups:
        for name, sizes in setup["split_train_val_test"].items():
            sources, n = setup["sources_train"][name], sum(sizes)
            if setup["sources_test"] is None:
                parts = np.diff(np.linspace(0, n, len(sources) + 1).astype(int))
                table = make(*((s, name, [1] * k) for s, k in zip(sources, parts, strict=True)))
                assert sizes_of(assign_splits(table, Split(method="paper"), 0), table) == {name: tuple(sizes)}
            else:
                parts = np.diff(np.linspace(0, sizes[0] + sizes[1], len(sources) + 1).astype(int))
                table = make(*((s, name, [1] * k) for s, k in zip(sources, parts, strict=True)))
                found = sizes_of(assign_splits(table, Split(method="independent"), 0), table)
                assert found == {name: (sizes[0], sizes[1], 0)}


def test_independent_keeps_patients_whole_and_takes_val_from_every_source(make):
    table = make(("a", "NOR", [3] * 20), ("b", "NOR", [1] * 43), ("b", "CVP", [2] * 10))
    split = assign_splits(table, Split(method="independent"), seed=2)
    assert set(split) == {"train", "val"} and (sides(table, split) == 1).all()
    counts = pd.crosstab([table["source"], table["class_name"]], split)
    assert counts["val"].to_dict() == {("a", "NOR"): 12, ("b", "CVP"): 4, ("b", "NOR"): 8}


def test_folds_by_patient_test_every_image_once_and_leak_nobody(make):
    sizes = np.random.default_rng(5).integers(1, 6, 60).tolist()
    table = make(("a", "NOR", sizes), ("a", "CVP", sizes[:30]), ("b", "CVP", sizes[20:45]))
    folds = [assign_splits(table, Split(folds=4), 3, fold) for fold in range(4)]
    for fold in folds:
        assert (sides(table, fold) == 1).all()
        shares = pd.Series(fold).value_counts(normalize=True)
        assert [shares["train"], shares["val"], shares["internal"]] == pytest.approx([0.5, 0.25, 0.25], abs=0.02)
    for part in ("val", "internal"):
        assert (sum((fold == part).astype(int) for fold in folds) == 1).all()


def test_leave_one_source_out_holds_out_the_source_and_tests_an_image_internally_once_at_most(make):
    table = make(*((source, name, [1, 2] * 10) for source in "abc" for name in ("NOR", "CVP")))
    split = Split(method="leave-one-source-out")
    folds = [assign_splits(table, split, 0, number, source) for number, source in enumerate("abc")]
    for fold, source in zip(folds, "abc", strict=True):
        assert set(table.loc[fold == "external", "source"]) == {source} and Counter(fold)["external"] == 60
        assert (sides(table, fold) == 1).all()
        assert Counter(fold) == {"external": 60, "train": 72, "val": 24, "internal": 24}
    assert sum((fold == "internal").astype(int) for fold in folds).max() == 1


def test_a_family_across_sources_stays_on_one_side(make):
    table = make(("a", "NOR", [3] * 10), ("b", "NOR", [2] * 10))
    table["family"] = None
    table.loc[[0, 6, len(table) - 1], "family"] = "the same film, cut and scaled"
    linked = [0, 1, 2, 6, 7, 8, len(table) - 2, len(table) - 1]
    assert len(set(group_images(table)[linked])) == 1 and len(set(group_images(table))) == 18
    for seed in range(20):
        assert len(set(assign_splits(table, Split(), seed)[linked])) == 1


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
