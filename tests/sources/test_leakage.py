"""Leakage is found where it is planted, not where it is not, and blocks until it is acknowledged."""

import pandas as pd
import pytest

from covaudit.domain.experiment import Experiment
from covaudit.errors import BadExperiment, Leaks
from covaudit.sources.leakage import check_leakage, find_leakage
from covaudit.sources.sampling import choose


@pytest.fixture
def samples(make_table):
    """60 patients of one image: 30 in train, 10 each in val, internal and external."""
    table = make_table("a", "NOR", [1] * 60)
    return table.assign(split=["train"] * 30 + ["val"] * 10 + ["internal"] * 10 + ["external"] * 10)


def test_a_clean_split_leaks_nothing(samples):
    assert find_leakage(samples) == (0, 0, 0, 0) and not find_leakage(samples)


def test_three_of_each_are_found(samples):
    samples["family"] = None
    for place, (mine, other) in enumerate([(0, 30), (1, 41), (31, 52)]):
        samples.loc[other, "patient"] = samples.loc[mine, "patient"]
        samples.loc[other + 3, "sha256"] = samples.loc[mine + 3, "sha256"]
        samples.loc[[mine + 6, other + 6], "family"] = f"family {place}"
    found = find_leakage(samples)
    assert (found.patients, found.files, found.families) == (3, 3, 3)
    assert found.images == 12  # each of the nine with its one or two images outside of train
    assert found.words == "3 patients, 3 files and 3 groups of near duplicates are on more than one side"


def test_what_lies_on_one_side_is_no_leak(samples):
    samples["family"] = None
    samples.loc[1, "patient"] = samples.loc[0, "patient"]
    samples.loc[32, "sha256"] = samples.loc[31, "sha256"]
    samples.loc[[45, 46], "family"] = "one"
    assert not find_leakage(samples)


def test_patients_of_two_sources_may_share_a_name(samples):
    samples.loc[30:, "source"] = "b"
    samples.loc[40, "patient"] = samples.loc[0, "patient"]
    assert not find_leakage(samples)


def asked(**more):
    train = [{"source": "a", "label": "NOR"}, {"source": "a", "label": "CVP"}]
    return Experiment.from_plain({"name": "x", "task": "CL2", "train": train, **more})


@pytest.fixture
def tables(make_table):
    """20 people with 3 films of each class."""
    return {"a": pd.concat([make_table("a", name, [3] * 20) for name in ("NOR", "CVP")], ignore_index=True)}


@pytest.mark.parametrize("method", ["image", "paper"])
def test_splits_by_image_are_blocked_until_somebody_says_why(tables, method):
    experiment = asked(split={"method": method})
    found = find_leakage(choose(experiment, tables).table)
    assert found.patients > 20 and found.files == 0
    with pytest.raises(Leaks, match=f"{found.patients} patients are on more than one side of the split"):
        check_leakage(experiment, found)
    with pytest.raises(BadExperiment):
        check_leakage(asked(split={"method": method}, acknowledged="  "), found)
    check_leakage(asked(split={"method": method}, acknowledged="As the paper did."), found)


@pytest.mark.parametrize("split", [{"method": "patient"}, {"method": "patient", "folds": 5}])
def test_splits_by_patient_do_not_leak(tables, split):
    for fold in range(asked(split=split).n_folds):
        check_leakage(asked(split=split), find_leakage(choose(asked(split=split), tables, fold).table))
