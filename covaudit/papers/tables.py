"""The printed tables of both papers as they stand, each entry with what is wrong with it."""

from collections.abc import Sequence
from typing import NamedTuple

from covaudit.papers import printed
from covaudit.papers.cells import Cell
from covaudit.papers.check import Report


class Entry(NamedTuple):
    """What is printed, and what is wrong with it ("" for nothing)."""

    text: str
    flag: str = ""


class PrintedTable(NamedTuple):
    """`rows` hold one entry for each name of `header`."""

    paper: str
    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]

    @property
    def n_flags(self) -> int:
        return sum(bool(entry.flag) for row in self.rows for entry in row)


class _Flags:
    """Flags by paper, table, row and column."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells

    def of(self, paper: str, table: str, row: str, *columns: str) -> str:
        found = [
            cell.flag for cell in self._cells if (cell.paper, cell.table, cell.row) == (paper, table, row)
            and cell.column in columns
        ]  # fmt: skip
        return "; ".join(dict.fromkeys(found))

    def of_rows(self, paper: str, table: str, rows: Sequence[str], column: str) -> str:
        return "; ".join(filter(None, (self.of(paper, table, row, column) for row in rows)))


def printed_tables(report: Report) -> list[PrintedTable]:
    """Tables 1 to 5 of paper 1 (1 and 2 together, as they have the same rows) and 1 to 9 of paper 2."""
    flags = _Flags(report.flagged())
    found = [_setups(flags), _classes_one(flags), *_matrices(flags), _networks(flags)]
    for experiment in "ABC":
        found += [_times(experiment), _overall(experiment, flags), _classes_two(experiment, flags)]
    return sorted(found, key=lambda table: (table.paper, next(c for c in table.name if c.isdigit())))


def _setups(flags: _Flags) -> PrintedTable:
    rows = []
    for setup in printed.setups():
        name = setup.name
        counts = ", ".join(f"{key} {_counted(n)}" for key, n in setup.classes.items())
        split = ", ".join(f"{key} {'/'.join(map(str, part))}" for key, part in setup.split.items())
        splits = [f"{name}, {key}" for key in setup.split]
        rows.append(
            (
                Entry(name),
                Entry(counts, flags.of("1", "Table 1", name, "images", "images without COVID-19")),
                Entry(split, flags.of_rows("1", "Table 2", splits, "train/val/test")),
                *(Entry(_spread(setup.printed[m]), flags.of("1", "Table 2", name, m)) for m in
                  ("recall", "precision", "accuracy")),
            )
        )  # fmt: skip
    header = ("Setup", "Images", "Train/validation/test", "Recall", "Precision", "Accuracy")
    return PrintedTable("1", "Tables 1, 2", "Setups and results", header, tuple(rows))


def _classes_one(flags: _Flags) -> PrintedTable:
    rows = []
    for row in printed.rows("paper1", "table3"):
        key = f"{row['setup']}, {row['class']}"
        metrics = ("recall", "precision", "accuracy")
        rows.append((Entry(row["setup"]), Entry(row["class"]),
                     *(Entry(_spread(row[m]), flags.of("1", "Table 3", key, m)) for m in metrics)))  # fmt: skip
    header = ("Setup", "Class", "Recall", "Precision", "Accuracy")
    return PrintedTable("1", "Table 3", "Classes", header, tuple(rows))


def _matrices(flags: _Flags) -> list[PrintedTable]:
    found = []
    for matrix in printed.matrices():
        wrong = flags.of("1", "Table 4", f"{matrix.setup}, NOR", "column sum")
        rows = [
            (Entry(name), *(Entry(f"{n:,}", wrong if place == len(matrix.classes) - 1 and column < place else "")
                            for column, n in enumerate(counts)))
            for place, (name, counts) in enumerate(zip(matrix.classes, matrix.printed, strict=True))
        ]  # fmt: skip
        title = f"Confusion matrix of {matrix.setup}, rows predicted, columns actual"
        found.append(PrintedTable("1", f"Table 4, {matrix.setup}", title, ("Predicted", *matrix.classes), tuple(rows)))
    return found


def _networks(flags: _Flags) -> PrintedTable:
    rows = []
    for row in printed.rows("paper1", "table5"):
        name = row["network"]
        cells = [Entry(name), Entry(f"{row['millions']} M", flags.of("1", "Table 5", name, "parameters"))]
        for column in ("cxr", "ct"):
            constant = f"{column.upper()} recall, precision"
            for metric, value in zip(("recall", "precision", "accuracy"), row[column], strict=True):
                flag = flags.of(
                    "1", "Table 5", name, f"{column.upper()} {metric}", *([constant] * (metric != "accuracy"))
                )
                cells.append(Entry(f"{value:.3f}", flag))
        rows.append(tuple(cells))
    header = (
        "Network",
        "Parameters",
        *(f"{c} {m}" for c in ("CXR", "CT") for m in ("recall", "precision", "accuracy")),
    )
    return PrintedTable("1", "Table 5", "Networks on the independent tests", header, tuple(rows))


def _times(experiment: str) -> PrintedTable:
    rows = tuple(
        (Entry(row["network"]), Entry(f"{row['seconds_per_epoch']} s"), Entry(f"{row['seconds']:,} s"))
        for row in printed.rows("paper2", "times")
        if row["experiment"] == experiment
    )
    name, title = printed.TABLE_TIMES[experiment], f"Times of experiment {experiment}"
    return PrintedTable("2", name, title, ("Network", "An epoch", "In all"), rows)


def _overall(experiment: str, flags: _Flags) -> PrintedTable:
    table, rows = printed.TABLE_OVERALL[experiment], []
    for row in printed.rows("paper2", "overall"):
        if row["experiment"] == experiment:
            key = f"{experiment}: {row['network']}"
            entries = [Entry(row["network"])]
            for metric in printed.OVERALL:
                digits = 4 if metric == "hamming_loss" else 2
                text = f"{row[metric][0]:.{digits}f} ± {row[metric][1]:.{digits}f}"
                entries.append(Entry(text, flags.of("2", table, key, metric, f"{metric} ±")))
            rows.append(tuple(entries))
    header = ("Network", *(metric.replace("_", " ") for metric in printed.OVERALL))
    return PrintedTable("2", table, f"Experiment {experiment}, all classes", header, tuple(rows))


def _classes_two(experiment: str, flags: _Flags) -> PrintedTable:
    table, rows = printed.TABLE_CLASSES[experiment], []
    for row in printed.rows("paper2", "classes"):
        if row["experiment"] == experiment:
            key, name = f"{experiment}: {row['network']}", row["class"]
            entries = [Entry(name), Entry(row["network"])]
            for metric in printed.OF_CLASS:
                flag = flags.of("2", table, key, f"{name}, {metric}", f"{name}, {metric} ±")
                entries.append(Entry(f"{row[metric][0]:.2f} ± {row[metric][1]:.2f}", flag))
            rows.append(tuple(entries))
    header = ("Class", "Network", *printed.OF_CLASS)
    return PrintedTable("2", table, f"Experiment {experiment}, by class", header, tuple(rows))


def _spread(value: Sequence[float | None]) -> str:
    mean, spread = value
    return f"{mean:.3f}" if spread is None else f"{mean:.3f} ± {spread:.3f}"


def _counted(n: int | list[int]) -> str:
    return f"{n:,}" if isinstance(n, int) else " / ".join(f"{part:,}" for part in n)


def plain_rows(table: PrintedTable) -> tuple[list[str], list[list[str]]]:
    """Header and rows as text, with the flags of each row in a last column."""
    rows = []
    for row in table.rows:
        flags = [f"{name}: {entry.flag}" for name, entry in zip(table.header, row, strict=True) if entry.flag]
        rows.append([*(entry.text for entry in row), "; ".join(flags)])
    return [*table.header, "Flags"], rows
