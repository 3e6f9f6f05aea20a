"""Cramér's V against SciPy, and the classes that have a single source."""

import math

import numpy as np
import pytest
from scipy.stats.contingency import association

from covaudit.domain.mixture import confounding

TABLES = [
    {("a", "x"): 30, ("a", "y"): 10, ("b", "x"): 5, ("b", "y"): 55},
    {("a", "x"): 30, ("a", "y"): 10, ("a", "z"): 3, ("b", "x"): 5, ("b", "y"): 55, ("b", "z"): 9},
    # Paper 1, CXR-Multiple-CL3: NOR and NCP by source, V = .54
    {("CXRI", "NOR"): 1583, ("CXR8", "NOR"): 2008, ("CXRI", "NCP"): 4273, ("CXR8", "NCP"): 322},
]


@pytest.mark.parametrize("counts", TABLES)
def test_cramers_v_equals_scipy(counts: dict[tuple[str, str], int]) -> None:
    rows = sorted({source for source, _ in counts})
    columns = sorted({name for _, name in counts})
    table = np.array([[counts.get((row, column), 0) for column in columns] for row in rows])
    assert confounding(counts).cramers_v == pytest.approx(association(table, method="cramer"), abs=1e-12)


def test_paper_1_multiple_cl3_has_the_printed_association() -> None:
    assert round(confounding(TABLES[2]).cramers_v, 2) == 0.54


def test_every_class_from_its_own_source_is_fully_confounded() -> None:
    found = confounding({("cxri", "NCV"): 5856, ("cidc", "CVP"): 500})
    assert found.cramers_v == pytest.approx(1)
    assert found.single_source == {"NCV": "cxri", "CVP": "cidc"}
    assert found.n == 6356


def test_crossed_classes_are_not_confounded() -> None:
    found = confounding({("a", "x"): 10, ("a", "y"): 20, ("b", "x"): 5, ("b", "y"): 10})
    assert found.cramers_v == pytest.approx(0, abs=1e-12)
    assert found.single_source == {}


def test_one_source_leaves_the_association_undefined() -> None:
    found = confounding({("a", "x"): 10, ("a", "y"): 20})
    assert math.isnan(found.cramers_v)


def test_empty_cells_count_as_no_source() -> None:
    assert confounding({("a", "x"): 10, ("b", "x"): 0, ("b", "y"): 4}).single_source == {"x": "a", "y": "b"}
