"""All checks of the printed tables: how many cells agree with our recomputation, and every cell with its flag."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from covaudit.papers import paper_one, paper_two
from covaudit.papers.cells import Cell
from covaudit.papers.claims import Claim, claims


class Check(NamedTuple):
    """A rule for one kind of cell, in words, and the cells it gives."""

    title: str
    cells: Callable[[], Iterator[Cell]]


CHECKS: Mapping[str, Check] = {
    "class_cells": Check("Paper 2: ± of a class is 1.96 √(p(1−p)/n)", paper_two.class_interval_cells),
    "overall_cells": Check("Paper 2: ± of all classes, n all images", paper_two.overall_interval_cells),
    "f1_cells": Check("Paper 2: F1 is 2PR / (P + R)", paper_two.f1_cells),
    "macro_cells": Check("Paper 2: a macro value is the mean of the five classes", paper_two.macro_cells),
    "whole_images": Check("Paper 2: a share of n images is k / n", paper_two.count_cells),
    "whole_epochs": Check("Paper 2: a total time is a whole number of epochs", paper_two.time_cells),
    "class_metrics": Check("Paper 1: recall and precision of Table 3 from Table 4", paper_one.class_cells),
    "matrix_columns": Check("Paper 1: a column of Table 4 sums to the images of its class", paper_one.matrix_cells),
    "recall_is_accuracy": Check("Paper 1: weighted recall is accuracy", paper_one.accuracy_cells),
    "splits": Check("Paper 1: splits are fifths of each class", paper_one.split_cells),
    "counts": Check("Paper 1: counts of Table 1", paper_one.count_cells),
    "not_constant": Check("Paper 1: no network answers the same for every image", paper_one.constant_cells),
    "parameters": Check("Paper 1: parameters are those of the network", paper_one.parameter_cells),
}


class Report(NamedTuple):
    """Cells by check, and the claims."""

    cells: Mapping[str, tuple[Cell, ...]]
    claims: tuple[Claim, ...]

    def agreed(self, name: str) -> tuple[int, int]:
        """How many cells of a check come out as printed, of how many.

        The intervals of paper 2 count as agreeing where the formula gives the printed digits, even where the rule is
        wrong: the flag of such a cell says so.
        """
        cells = self.cells[name]
        if name in ("class_cells", "overall_cells"):
            return sum(cell.printed == cell.recomputed for cell in cells), len(cells)
        return sum(not cell.flag for cell in cells), len(cells)

    def flagged(self) -> list[Cell]:
        return [cell for cells in self.cells.values() for cell in cells if cell.flag]


def check_papers() -> Report:
    """Recompute everything that the printed numbers allow."""
    return Report({name: tuple(check.cells()) for name, check in CHECKS.items()}, tuple(claims()))


def as_json(report: Report) -> dict[str, Any]:
    """For each check `[agreeing, all]`, then the flagged cells and the claims."""
    found: dict[str, Any] = {name: list(report.agreed(name)) for name in report.cells}
    found["permuted_row"] = any("permuted" in cell.flag for cell in report.cells["matrix_columns"])
    found["constant_predictors"] = [cell.row for cell in report.cells["not_constant"] if cell.flag]
    found["flags"] = [cell._asdict() for cell in report.flagged()]
    found["claims"] = [claim._asdict() for claim in report.claims]
    return found
