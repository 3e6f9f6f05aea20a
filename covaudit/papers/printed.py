"""The numbers that the two papers print, as facts; `printed.json` holds them and nothing else of the papers.

Paper 1 is CVR-Net (Hasan et al. 2020), paper 2 the multi-label study of pneumonia heat maps with experiments A, B, C.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

OVERALL = ("exact_match_accuracy", "macro_precision", "macro_recall", "macro_f1", "hamming_loss")
OF_CLASS = ("precision", "recall", "f1")
TARGETS = ("Normal", "Pneumonia", "Virus", "Bacteria", "COVID")
TABLE_OVERALL: Mapping[str, str] = {"A": "Table 4", "B": "Table 6", "C": "Table 8"}
TABLE_CLASSES: Mapping[str, str] = {"A": "Table 5", "B": "Table 7", "C": "Table 9"}
TABLE_TIMES: Mapping[str, str] = {"A": "Table 1", "B": "Table 2", "C": "Table 3"}
PERMUTED = "CXR-Multiple-CL4"
"""The setup whose COVID row of Table 4 has its three errors in the wrong columns."""


class Setup(NamedTuple):
    """A row of paper 1's Tables 1 and 2. Counts of a class are one number, or train and test of an independent setup;
    `split` is train, validation, test; `printed` maps recall, precision, accuracy to value and standard deviation."""

    name: str
    classes: Mapping[str, Any]
    sources_train: Mapping[str, list[str]]
    sources_test: Mapping[str, list[str]] | None
    split: Mapping[str, list[int]]
    printed: Mapping[str, list[float | None]]

    @property
    def is_cross_validated(self) -> bool:
        return self.sources_test is None

    @property
    def n_test(self) -> int:
        """Images that the printed number rests on: all of them over five folds, or the independent test."""
        return sum(n if isinstance(n, int) else n[1] for n in self.classes.values())


class Matrix(NamedTuple):
    """A confusion matrix of Table 4: rows predicted, columns actual, summed over the test folds."""

    setup: str
    classes: list[str]
    printed: list[list[int]]

    @property
    def corrected(self) -> list[list[int]]:
        """With the permuted COVID row of CL4 put right: (NOR, OBP, OVP) are 89, 22, 18, printed as 22, 18, 89."""
        if self.setup != PERMUTED:
            return self.printed
        normal, bacterial, viral, own = self.printed[-1]
        return [*self.printed[:-1], [viral, normal, bacterial, own]]


@cache
def _all() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "printed.json").read_text())
    return loaded


def setups() -> list[Setup]:
    return [
        Setup(row["name"], row["classes"], row["sources_train"], row["sources_test"], row["split_train_val_test"],
              row["printed"])
        for row in _all()["paper1"]["setups"]
    ]  # fmt: skip


def matrices() -> list[Matrix]:
    return [Matrix(**row) for row in _all()["paper1"]["table4"]]


def rows(paper: str, table: str) -> list[dict[str, Any]]:
    """The rows of a table: "paper1" has table3 and table5; "paper2" has overall, classes and times."""
    found: list[dict[str, Any]] = _all()[paper][table]
    return found


def support(experiment: str, target: str = "ALL") -> int:
    """Images of a target in the test set of paper 2's experiment; "ALL" for all images."""
    return int(_all()["paper2"]["supports"][experiment][target])


def class_count(setup: str, name: str) -> int:
    """Images of a class of a cross-validated setup of paper 1."""
    (found,) = [one for one in setups() if one.name == setup]
    return int(found.classes[name])
