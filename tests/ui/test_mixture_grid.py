"""The grid shows a mixture and gives the same one back, but for the cells that a person changed."""

import pandas as pd
import pytest

from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.task import TASKS
from covaudit.ui.mixture_grid import HAS, SOURCE, build_grid, read_grid, shortages

CL2 = TASKS["CL2"]
AVAILABLE = {("one", "NCV"): 50, ("one", "CVP"): 20, ("two", "CVP"): 30}
MIXTURE = Mixture(
    (
        Component(source="two", label="CVP"),
        Component(source="one", label="NOR", limit=10),
        Component(source="one", label="OBP", limit=5),
    )
)


def _grid():
    return build_grid(MIXTURE, CL2, ["one", "two"], AVAILABLE)


def test_cells_sum_their_labels_and_a_missing_limit_shows_all_that_is_there():
    frame = _grid().frame.set_index(SOURCE)
    assert frame.loc["one", "NCV"] == 15 and frame.loc["two", "CVP"] == 30
    assert pd.isna(frame.loc["one", "CVP"]) and pd.isna(frame.loc["two", "NCV"])
    assert frame.loc["one", HAS] == "NCV 50 · CVP 20"


def test_an_untouched_grid_gives_the_same_mixture_in_the_same_order():
    assert read_grid(_grid().frame, _grid(), CL2, AVAILABLE) == MIXTURE


def test_a_changed_cell_draws_the_class_and_the_others_stay():
    edited = _grid().frame.copy()
    edited.loc[edited[SOURCE] == "one", "NCV"] = 40
    found = set(read_grid(edited, _grid(), CL2, AVAILABLE).components())
    assert found == {Component(source="two", label="CVP"), Component(source="one", label="NCV", limit=40)}


def test_a_changed_cell_of_one_label_keeps_the_label():
    grid = build_grid(Mixture((Component(source="one", label="NOR", limit=10),)), CL2, ["one"], AVAILABLE)
    edited = grid.frame.copy()
    edited["NCV"] = 12
    assert read_grid(edited, grid, CL2, AVAILABLE) == Mixture((Component(source="one", label="NOR", limit=12),))


@pytest.mark.parametrize("nothing", [0, None, pd.NA])
def test_blank_and_zero_draw_nothing(nothing):
    edited = _grid().frame.copy()
    edited.loc[edited[SOURCE] == "two", "CVP"] = nothing
    assert "two" not in read_grid(edited, _grid(), CL2, AVAILABLE).sources()


def test_a_source_that_is_not_here_is_shown_and_kept():
    grid = build_grid(Mixture((Component(source="gone", label="CVP", limit=9),)), CL2, ["one"], AVAILABLE)
    assert grid.frame.set_index(SOURCE).loc["gone", HAS] == "not added here"
    assert read_grid(grid.frame, grid, CL2, AVAILABLE).sources() == ("gone",)


def test_a_label_above_the_classes_is_kept_aside():
    wide = Component(source="one", label="NCV", limit=5)
    grid = build_grid(Mixture((wide,)), TASKS["CL3"], ["one"], {})
    assert grid.spanning == (wide,) and wide in read_grid(grid.frame, grid, TASKS["CL3"], {}).root


def test_asking_for_more_than_there_is_is_said():
    edited = _grid().frame.copy()
    edited.loc[edited[SOURCE] == "one", "CVP"] = 21
    assert shortages(edited, CL2, AVAILABLE) == ["one has 20 CVP, not 21; all are drawn."]
