"""Caps and prevalence, with numbers worked out by hand."""

import pandas as pd
import pytest

from covaudit.domain.experiment import Experiment
from covaudit.errors import BadExperiment, CovauditError
from covaudit.sources.sampling import choose


@pytest.fixture
def tables(make_table):
    """a: 60 NOR, 20 CVP; b: 10 NOR, 30 CVP; c: 50 NOR, 10 CVP. One image a patient, but two in a's NOR."""
    return {
        "a": pd.concat([make_table("a", "NOR", [2] * 30), make_table("a", "CVP", [1] * 20)], ignore_index=True),
        "b": pd.concat([make_table("b", "NOR", [1] * 10), make_table("b", "CVP", [1] * 30)], ignore_index=True),
        "c": pd.concat([make_table("c", "NOR", [1] * 50), make_table("c", "CVP", [1] * 10)], ignore_index=True),
    }


def draw(tables, sampling, test=()):
    train = [{"source": source, "label": label} for source in "ab" for label in ("NOR", "CVP")]
    plain = {"name": "x", "task": "CL2", "train": train, "sampling": sampling}
    plain["test"] = [{"source": source, "label": label} for source in test for label in ("NOR", "CVP")]
    samples = choose(Experiment.from_plain(plain), tables)
    cells = samples.table.assign(is_test=samples.table["split"] == "external")
    return cells.value_counts(["is_test", "source", "class_name"]).to_dict(), samples


def of_train(counts):
    return {key[1:]: n for key, n in counts.items() if not key[0]}


def test_without_sampling_everything_is_drawn(tables):
    counts, samples = draw(tables, {})
    assert of_train(counts) == {("a", "NCV"): 60, ("a", "CVP"): 20, ("b", "NCV"): 10, ("b", "CVP"): 30}
    assert samples.dropped == {}


def test_a_cap_of_a_class_holds_over_all_sources_and_keeps_patients_whole(tables):
    counts, samples = draw(tables, {"per_class": {"NCV": 41}})
    kept = of_train(counts)
    assert 40 <= kept["a", "NCV"] + kept["b", "NCV"] <= 41 and kept["a", "CVP"] == 20 and kept["b", "CVP"] == 30
    drawn = samples.table[(samples.table["source"] == "a") & (samples.table["class_name"] == "NCV")]
    assert (drawn["patient"].value_counts() == 2).all()
    assert samples.dropped == {"over the cap of 41 for NCV": 70 - kept["a", "NCV"] - kept["b", "NCV"]}


def test_a_cap_of_a_source(tables):
    counts, samples = draw(tables, {"per_source": {"b": 12}})
    kept = of_train(counts)
    assert kept["b", "NCV"] + kept["b", "CVP"] == 12 and samples.dropped == {"over the cap of 12 for b": 28}


def test_equal_prevalence_in_every_source(tables):
    """As drawn 70 to 50: a keeps 20 CVP and 20 / 5 * 7 = 28 NCV; b keeps 10 NCV and floor(10 / 7 * 5) = 7 CVP."""
    counts, samples = draw(tables, {"match": "sources"})
    assert of_train(counts) == {("a", "NCV"): 28, ("a", "CVP"): 20, ("b", "NCV"): 10, ("b", "CVP"): 7}
    assert samples.dropped == {"left out to match the prevalence of the sources": 32 + 23}


def test_a_test_as_prevalent_as_the_training(tables):
    """70 to 50 in training; c has 10 CVP, so 14 NCV."""
    counts, samples = draw(tables, {"match": "test"}, test="c")
    assert {key[1:]: n for key, n in counts.items() if key[0]} == {("c", "NCV"): 14, ("c", "CVP"): 10}
    assert samples.dropped == {"left out to match the prevalence of the test": 36}


def test_a_source_without_a_class_cannot_be_matched(tables):
    tables["b"] = tables["b"][tables["b"]["label"] == "NOR"]
    train = [{"source": source, "label": "NOR"} for source in "ab"] + [{"source": "a", "label": "CVP"}]
    plain = {"name": "x", "task": "CL2", "train": train, "sampling": {"match": "sources"}}
    with pytest.raises(BadExperiment, match="prevalence of source b cannot be matched: it has no image of class CVP"):
        choose(Experiment.from_plain(plain), tables)


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        ({"per_class": {"XYZ": 3}}, "Unknown class 'XYZ'. Allowed: CVP, NCV"),
        ({"per_source": {"c": 3}}, "Unknown source 'c'. Allowed: a, b"),
        ({"per_class": {"NCV": 0}}, "greater than or equal to 1"),
        ({"match": "both"}, "sampling.match"),
    ],
)
def test_caps_that_name_nothing(tables, sampling, words):
    with pytest.raises(CovauditError, match=words):
        draw(tables, sampling)
