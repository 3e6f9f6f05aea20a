"""Paper 1: class metrics from the confusion matrices, identities that a table cannot break, splits, parameters."""

from collections.abc import Iterator

import numpy as np

from covaudit.papers import printed
from covaudit.papers.cells import Cell, fixed
from models.registry import NETWORKS

_OF_TABLE_5 = {
    "VGG-19": "vgg19", "Xception": "legacy_xception", "EfficientNet-b1": "efficientnet_b1",
    "DenseNet-169": "densenet169", "ResNet-152": "resnet152", "Inception-v3": "inception_v3", "DarkNet": "darkcovidnet",
    "CoroNet": "coronet", "CVR-Net": "cvrnet",
}  # fmt: skip
_OTHER_RUN = "equal folds make the mean over folds equal the pooled {}: this table and the matrix are of different runs"


def class_cells() -> Iterator[Cell]:
    """Recall and precision of Table 3 from the matrices of Table 4."""
    for matrix in printed.matrices():
        counts = np.array(matrix.corrected)
        right = np.diag(counts)
        # Rows are predicted, columns actual.
        found = {"recall": right / counts.sum(axis=0), "precision": right / counts.sum(axis=1)}
        for row in printed.rows("paper1", "table3"):
            if row["setup"] == matrix.setup:
                index = matrix.classes.index(row["class"])
                for metric, values in found.items():
                    yield _class_cell(row["setup"], row["class"], metric, row[metric], float(values[index]))


def _class_cell(setup: str, name: str, metric: str, value: list[float], found: float) -> Cell:
    mean, spread = value
    # Folds of equal size: recall agrees to the rounding, precision only about, for its denominators differ by fold.
    allowed = 0.0011 if metric == "recall" else max(0.0051, spread / 2)
    reason = "" if abs(found - mean) <= allowed else _OTHER_RUN.format(metric)
    return Cell("1", "Table 3", f"{setup}, {name}", metric, fixed(mean, 3), fixed(found, 3), reason)


def matrix_cells() -> Iterator[Cell]:
    """The columns of Table 4 against the class counts."""
    for matrix in printed.matrices():
        for index, name in enumerate(matrix.classes):
            total, n = sum(row[index] for row in matrix.printed), printed.class_count(matrix.setup, name)
            reason = "" if total == n else "the COVID row is permuted: 22, 18, 89 should be 89, 22, 18"
            yield Cell("1", "Table 4", f"{matrix.setup}, {name}", "column sum", str(total), str(n), reason)


def accuracy_cells() -> Iterator[Cell]:
    """The recall of a table's row is the class-weighted one, and that is the accuracy."""
    for setup in printed.setups():
        recall, accuracy = setup.printed["recall"][0] or 0.0, setup.printed["accuracy"][0] or 0.0
        yield _accuracy_cell("Table 2", setup.name, "accuracy", recall, accuracy)
    for row in printed.rows("paper1", "table5"):
        for column in ("cxr", "ct"):
            recall, _, accuracy = row[column]
            yield _accuracy_cell("Table 5", row["network"], f"{column.upper()} accuracy", recall, accuracy)


def _accuracy_cell(table: str, row: str, column: str, recall: float, accuracy: float) -> Cell:
    reason = "" if recall == accuracy else "weighted recall is accuracy by definition"
    reason += "; recall and precision look swapped" if reason and table == "Table 5" else ""
    return Cell("1", table, row, column, fixed(accuracy, 3), fixed(recall, 3), reason)


def split_cells() -> Iterator[Cell]:
    """Train, validation and test of Tables 2 and 3: five folds of each class, the first n mod 5 one larger, three to
    train on, the fourth to validate, the fifth to test; of an independent setup a fifth, rounded down, validates."""
    for setup in printed.setups():
        for name, split in setup.split.items():
            count = setup.classes[name]
            if setup.is_cross_validated:
                folds = [count // 5 + (fold < count % 5) for fold in range(5)]
                found = [sum(folds[:3]), folds[3], folds[4]]
            else:
                found = [count[0] - count[0] // 5, count[0] // 5, count[1]]
            words = ["/".join(map(str, numbers)) for numbers in (split, found)]
            reason = "" if split == found else f"five folds give {words[1]}"
            yield Cell("1", "Table 2", f"{setup.name}, {name}", "train/val/test", words[0], words[1], reason)


def count_cells() -> Iterator[Cell]:
    """Table 1: setups whose counts cannot be, or are another's."""
    known = {setup.name: setup for setup in printed.setups()}
    total = sum(n for name, n in known["CXR-Multiple-CL3"].classes.items() if name != "CVP")
    stated = known["CXR-Multiple-CL2"].classes["NCV"]
    yield Cell(
        "1", "Table 1", "CXR-Multiple-CL3", "images without COVID-19", f"{stated:,}", f"{total:,}",
        "the text gives the total of CL2; the table's own classes sum to more",
    )  # fmt: skip
    ct, cxr = known["CT-Multiple-CL2"], known["CXR-Multiple-CL2"]
    counts = [", ".join(f"{name} {n:,}" for name, n in one.classes.items()) for one in (ct, cxr)]
    same = ct.classes == cxr.classes
    reason = "counts and splits are those of CXR-Multiple-CL2, likely copied: take them as unknown" if same else ""
    yield Cell("1", "Table 1", ct.name, "images", counts[0], counts[1], reason)


def constant_cells() -> Iterator[Cell]:
    """A network that answers NCV for every image has recall n_NCV / n and the square of it as precision."""
    independent = {"cxr": "CXR-Independent-CL2", "ct": "CT-Independent-CL2"}
    known = {setup.name: setup for setup in printed.setups()}
    for row in printed.rows("paper1", "table5"):
        for column, name in independent.items():
            setup = known[name]
            share = setup.split["NCV"][2] / setup.n_test
            expected = [fixed(value, 3) for value in (share, share**2)]
            came = [fixed(value, 3) for value in row[column][:2]]
            reason = "a constant predictor: every image was answered NCV" if came == expected else ""
            where = f"{column.upper()} recall, precision"
            yield Cell("1", "Table 5", row["network"], where, ", ".join(came), ", ".join(expected), reason)


def parameter_cells() -> Iterator[Cell]:
    """Table 5's parameters against the networks as they are built here, with two classes."""
    for row in printed.rows("paper1", "table5"):
        spec = NETWORKS[_OF_TABLE_5[row["network"]]]
        said = f"{row['millions']} M"
        agrees = spec.printed is not None and spec.printed.agrees_with(spec.parameters)
        reason = "" if agrees else spec.printed.remark if spec.printed else "not explained"
        yield Cell("1", "Table 5", row["network"], "parameters", said, f"{spec.parameters:,}", reason)
