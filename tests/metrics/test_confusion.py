"""Confusion counts by hand and ROC curves against scikit-learn's area."""

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score

from covaudit.errors import UnknownName
from covaudit.metrics.confusion import confusion
from covaudit.metrics.curves import MAX_POINTS, roc_curves


def test_rows_are_the_truth(table):
    found = confusion(table([("A", "A"), ("A", "B"), ("A", "B"), ("B", "B")]), "internal", ("A", "B"))
    assert found.counts == ((1, 2), (0, 1))
    assert (found.split, found.classes) == ("internal", ("A", "B"))


def test_the_order_is_that_of_the_classes(table):
    assert confusion(table([("A", "B")]), "internal", ("B", "A")).counts == ((0, 0), (1, 0))


def test_another_split_is_empty(table):
    assert confusion(table([("A", "B")]), "external", ("A", "B")).counts == ((0, 0), (0, 0))


def test_an_unknown_class_is_refused(table):
    with pytest.raises(UnknownName, match="Unknown class 'A'"):
        confusion(table([("A", "B")]).assign(p_C=0.0), "internal", ("B", "C"))


def test_the_area_under_a_curve_is_the_auroc(random_table):
    table = random_table(0, 300, 3)
    curves = roc_curves(table, "internal", "012")
    assert [curve.class_name for curve in curves] == ["0", "1", "2"]
    for curve in curves:
        expected = roc_auc_score(table["class_name"] == curve.class_name, table[f"p_{curve.class_name}"])
        assert auc(curve.false_positive_rate, curve.true_positive_rate) == pytest.approx(expected)


def test_long_curves_are_thinned_and_keep_their_ends(random_table):
    table = random_table(0, 4000, 2, skill=0.1)
    table["p_1"] = np.random.default_rng(0).random(4000)
    curve = roc_curves(table, "internal", "01")[1]
    assert len(curve.false_positive_rate) == MAX_POINTS
    assert (curve.false_positive_rate[0], curve.true_positive_rate[-1]) == (0.0, 1.0)


def test_one_class_has_no_curve(table):
    assert roc_curves(table([("A", "A"), ("A", "B")]), "internal", ("A", "B")) == []
