"""From mixtures to the images of a run, with numbers worked out by hand."""

import pandas as pd
import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.mixture import Mixture
from covaudit.domain.task import TASKS
from covaudit.errors import BadExperiment, UnknownName
from covaudit.sources.sampling import choose, count_cells


@pytest.fixture
def tables(make_table):
    """a: 40 NOR, 20 OBP, 10 OVP, patients of 2 images; b: 30 CVP patients of 1; c: 8 NOR, 6 CVP, 5 NCV."""
    return {
        "a": pd.concat(
            [make_table("a", "NOR", [2] * 20), make_table("a", "OBP", [2] * 10), make_table("a", "OVP", [2] * 5)],
            ignore_index=True,
        ),
        "b": make_table("b", "CVP", [1] * 30),
        "c": pd.concat(
            [make_table("c", "NOR", [1] * 8), make_table("c", "CVP", [1] * 6), make_table("c", "NCV", [1] * 5)],
            ignore_index=True,
        ),
    }


def experiment(train, test=(), task="CL2", **more):
    def plain(parts):
        return [dict(zip(("source", "label", "limit"), part, strict=False)) for part in parts]

    return Experiment.from_plain({"name": "x", "task": task, "train": plain(train), "test": plain(test), **more})


def counts(table, *by):
    return table.groupby(list(by)).size().to_dict()


def test_labels_go_to_the_classes_of_the_task(tables):
    asked = [("a", "NCV"), ("b", "CVP")]
    assert counts(choose(experiment(asked), tables).table, "class_name") == {"NCV": 70, "CVP": 30}
    three = choose(experiment(asked, task="CL3"), tables)
    assert counts(three.table, "class_name") == {"NOR": 40, "NCP": 30, "CVP": 30} and three.dropped == {}
    four = choose(experiment(asked, task="CL4"), tables)
    assert counts(four.table, "class_name") == {"NOR": 40, "OBP": 20, "OVP": 10, "CVP": 30}


def test_what_no_class_takes_is_dropped_with_a_count(tables):
    samples = choose(experiment([("a", "NCP"), ("c", "NCV"), ("b", "CVP")], task="CL3"), tables)
    assert counts(samples.table, "class_name") == {"NOR": 8, "NCP": 30, "CVP": 30}
    assert samples.dropped == {"label NCV of c is in no class of CL3": 5}


def test_table_has_its_columns_and_a_stable_order(tables):
    table = choose(experiment([("b", "CVP"), ("a", "NCV")], [("c", "NCV"), ("c", "CVP")]), tables).table
    assert list(table.columns) == [*tables["a"].columns, "class_name", "split"]
    assert list(dict.fromkeys(table["split"])) == ["train", "val", "internal", "external"]
    assert counts(table, "split") == {"train": 60, "val": 20, "internal": 20, "external": 19}
    for _, part in table.groupby("split"):
        assert list(zip(part["source"], part["image_id"], strict=True)) == sorted(
            zip(part["source"], part["image_id"], strict=True)
        )


def test_the_order_of_the_index_does_not_matter(tables):
    asked = experiment([("a", "NCV", 31), ("b", "CVP", 20)], [("c", "CVP", 3)])
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    pd.testing.assert_frame_equal(choose(asked, tables).table, choose(asked, shuffled).table)


def test_a_limit_takes_whole_patients_and_never_more(tables):
    samples = choose(experiment([("a", "NCV", 31), ("b", "CVP")]), tables)
    drawn = samples.table[samples.table["source"] == "a"]
    assert len(drawn) == 30 and (drawn["patient"].value_counts() == 2).all()
    assert samples.dropped == {"over the limit of 31 for NCV of a": 40}
    assert set(drawn["label"]) == {"NOR", "OBP", "OVP"}


def test_a_limit_below_every_patient_takes_a_part_of_one(make_table):
    tables = {"a": make_table("a", "NOR", [9, 9]), "b": make_table("b", "CVP", [1] * 3)}
    table = choose(experiment([("a", "NCV", 4), ("b", "CVP")]), tables).table
    assert counts(table, "source") == {"a": 4, "b": 3} and table.loc[table["source"] == "a", "patient"].nunique() == 1


def test_seeds_draw_different_patients_and_components_do_not_disturb_each_other(tables):
    def drawn(train, seed=0):
        table = choose(experiment(train, seed=seed), tables).table
        return set(table.loc[table["source"] == "a", "image_id"])

    first = drawn([("a", "NCV", 30), ("b", "CVP")])
    assert drawn([("a", "NCV", 30), ("b", "CVP")]) == first
    assert drawn([("b", "CVP", 9), ("a", "NCV", 30)]) == first
    assert drawn([("a", "NCV", 30), ("b", "CVP")], seed=1) != first


def test_an_image_drawn_twice_is_used_once(tables):
    samples = choose(experiment([("a", "NCV"), ("a", "NOR"), ("b", "CVP")]), tables)
    assert counts(samples.table, "source") == {"a": 70, "b": 30}
    assert samples.dropped == {"drawn by two components, used once": 40}


def test_the_external_test_shares_no_image_and_no_patient_with_training(tables):
    known = tables["a"]["sha256"].iloc[0]  # of patient NOR-p0, who has two images
    tables["c"].loc[0, "sha256"] = known
    more = tables["c"].iloc[[0]].assign(image_id="again", sha256="new")  # another image of that patient of c
    tables["c"] = pd.concat([tables["c"], more], ignore_index=True)
    samples = choose(experiment([("a", "NCV"), ("b", "CVP")], [("c", "NCV"), ("c", "CVP")]), tables)
    external = samples.table[samples.table["split"] == "external"]
    assert len(external) == 20 - 2 and "again" not in set(external["image_id"])
    assert samples.dropped == {
        "external test: the image is in the train mixture": 1,
        "external test: the patient is in the train mixture": 1,
    }


def test_a_capped_test_from_a_source_of_training_finds_other_patients(tables):
    samples = choose(experiment([("a", "NOR", 10), ("b", "CVP", 10)], [("a", "NOR", 10), ("b", "CVP", 10)]), tables)
    table = samples.table.assign(is_test=samples.table["split"] == "external")
    assert counts(table, "is_test", "source") == {(False, "a"): 10, (False, "b"): 10, (True, "a"): 10, (True, "b"): 10}
    assert table.groupby(["source", "patient"])["is_test"].nunique().max() == 1
    assert samples.dropped["external test: the image is in the train mixture"] == 20


def test_nothing_left_to_test_on_is_an_error(tables):
    with pytest.raises(BadExperiment, match="all 30 of the test mixture"):
        choose(experiment([("a", "NCV"), ("b", "CVP")], [("b", "CVP")]), tables)


def test_a_label_that_a_source_does_not_have(tables):
    with pytest.raises(BadExperiment, match=r"'b' has no image of label 'NOR'. It has CVP \(30\)"):
        choose(experiment([("b", "NOR"), ("b", "CVP")]), tables)
    with pytest.raises(BadExperiment, match="no image of label 'OBP'"):
        choose(experiment([("a", "NCV"), ("b", "CVP")], [("c", "OBP")]), tables)


def test_a_source_without_an_index(tables):
    with pytest.raises(UnknownName, match=r"Unknown source 'nowhere'. Allowed: a, b, c."):
        choose(experiment([("nowhere", "NCV"), ("b", "CVP")]), tables)


def test_a_class_left_without_images(tables):
    """c has NCV of unstated kind, which CL3 cannot map: the mixture looks complete and is not."""
    only = {"b": tables["b"], "c": tables["c"][tables["c"]["label"] == "NCV"], "a": tables["a"]}
    with pytest.raises(BadExperiment, match=r"no image of class NOR; it has NOR \(0\), NCP \(30\), CVP \(30\)"):
        choose(experiment([("c", "NCV"), ("a", "NCP"), ("b", "CVP")], task="CL3"), only)


def test_patients_stay_on_one_side_unless_split_by_image(tables):
    for method, most in (("patient", 1), ("image", 2)):
        asked = experiment([("a", "NCV"), ("b", "CVP")], split={"method": method})
        table = choose(asked, tables).table
        assert table.groupby(["source", "patient"])["split"].nunique().max() == most


def test_counts_for_compose(tables):
    mixture = Mixture.model_validate(
        [
            {"source": "a", "label": "NCV", "limit": 31},
            {"source": "c", "label": "NCV"},
            {"source": "b", "label": "CVP", "limit": 7},
            {"source": "gone", "label": "CVP"},
        ]
    )
    available = count_cells(mixture, TASKS["CL3"], tables, capped=False)
    assert available == {
        ("a", "NOR"): 40,
        ("a", "NCP"): 30,
        ("c", "NOR"): 8,
        ("c", "NCP"): 0,
        ("b", "CVP"): 30,
        ("gone", "CVP"): 0,
    }
    used = count_cells(mixture, TASKS["CL3"], tables)
    assert used[("a", "NOR")] + used[("a", "NCP")] == 30 and used[("b", "CVP")] == 7 and used[("c", "NOR")] == 8
    assert count_cells(Mixture(()), TASKS["CL3"], tables) == {}


def test_counts_are_those_of_the_run(tables):
    asked = experiment([("a", "NCV", 31), ("b", "CVP", 9)], task="CL3", seed=4)
    chosen = choose(asked, tables).table
    assert count_cells(asked.train, asked.task, tables, seed=4) == counts(chosen, "source", "class_name")


def test_leave_one_source_out_tests_on_each_source_in_turn(make_table):
    tables = {
        name: pd.concat([make_table(name, label, [1] * 20) for label in ("NOR", "CVP")], ignore_index=True)
        for name in "abc"
    }
    asked = experiment(
        [(name, label) for name in "abc" for label in ("NOR", "CVP")], split={"method": "leave-one-source-out"}
    )
    assert asked.n_folds == 3
    for fold, name in enumerate("abc"):
        table = choose(asked, tables, fold).table
        assert counts(table, "split") == {"train": 48, "val": 16, "internal": 16, "external": 40}
        assert set(table.loc[table["split"] == "external", "source"]) == {name}
    with pytest.raises(ValueError, match="fold 3 of 3"):
        choose(asked, tables, 3)


def test_a_held_out_source_that_shares_a_film_loses_it_with_a_count(make_table):
    tables = {
        name: pd.concat([make_table(name, label, [1] * 20) for label in ("NOR", "CVP")], ignore_index=True)
        for name in "ab"
    }
    tables["a"].loc[0, "sha256"] = tables["b"].loc[5, "sha256"]
    asked = experiment(
        [(name, label) for name in "ab" for label in ("NOR", "CVP")], split={"method": "leave-one-source-out"}
    )
    for fold in range(2):
        samples = choose(asked, tables, fold)
        assert counts(samples.table, "split")["external"] == 39
        assert samples.dropped == {"external test: the image is in the train mixture": 1}


def test_a_class_of_the_held_out_source_alone_cannot_be_trained_on(tables):
    asked = experiment([("a", "NCV"), ("b", "CVP")], split={"method": "leave-one-source-out"})
    with pytest.raises(BadExperiment, match="Fold 1 has no image of class NCV to train on"):
        choose(asked, tables)


def test_independent_has_no_internal_test(tables):
    asked = experiment(
        [("a", "NCV"), ("b", "CVP")], [("c", "NCV"), ("c", "CVP")], split={"method": "independent", "val": 0.3}
    )
    table = choose(asked, tables).table
    assert counts(table, "split", "class_name") == {
        ("train", "NCV"): 50, ("val", "NCV"): 20, ("train", "CVP"): 21, ("val", "CVP"): 9,
        ("external", "NCV"): 13, ("external", "CVP"): 6,
    }  # fmt: skip
