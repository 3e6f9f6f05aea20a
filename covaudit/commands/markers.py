"""python -m covaudit markers measure"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from covaudit.commands.base import AsJson, build_app, print_json, print_table

if TYPE_CHECKING:
    from covaudit.explain.measure_markers import Count

app = build_app("Measure the detector of laterality markers and burned-in text.")


@app.callback()
def _markers() -> None:
    """Keeps `measure` a command of its own."""


@app.command("measure")
def measure_markers(
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="Holds the collections.")] = None,
    table: Annotated[
        Path | None, typer.Argument(metavar="[TABLE]", help="Markers of their films, listed by hand (CSV).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recall and false alarms on phantoms, or on the real films of a table such as tests/explain/real_markers.csv."""
    from covaudit.explain.measure_markers import measure_films, measure_phantoms

    if (folder is None) != (table is None):
        raise typer.BadParameter("Give the folder of the collections and the table of their markers, or neither.")
    counts = measure_films(folder, table) if folder and table else measure_phantoms()
    rows = list(_rows(counts))
    if as_json:
        print_json([dict(zip(_HEADER, row, strict=True)) for row in rows])
    else:
        print_table([(*row[:4], *(f"{share:.2f}" for share in row[4:])) for row in rows], _HEADER)


_HEADER = ("source", "what", "hits", "n", "share", "low", "high")


def _rows(counts: Iterable["Count"]) -> Iterable[tuple[str, str, int, int, float, float, float]]:
    from covaudit.metrics.intervals import wilson

    for group, what, hits, n in counts:
        share = hits / n if n else float("nan")
        low, high, _ = wilson(share, n)
        yield group, what, hits, n, share, low, high
