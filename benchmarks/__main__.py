"""python -m benchmarks [TABLE[:ROW] ...] [--quick] [--readme]

Measures the tables, or the ones named, and prints them. Rows are kept in build/benchmarks.json, so that they can be
measured one after the other; --readme puts all that is kept into the README.
"""

import argparse

from benchmarks import bootstrap, checks, gradcam, loader, map_memory, sources, training
from benchmarks.table import Table, keep, markdown, read_kept, write_readme

TABLES: dict[str, Table] = {
    "training": training.TABLE,
    "loader": loader.TABLE,
    "gradcam": gradcam.TABLE,
    "map_memory": map_memory.TABLE,
    "checks": checks.TABLE,
    "bootstrap": bootstrap.TABLE,
    "sources": sources.TABLE,
}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and memory.")
    parser.add_argument("wanted", nargs="*", help=f"TABLE or TABLE:ROW; tables are {', '.join(TABLES)}")
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions; not kept")
    parser.add_argument(
        "--readme", action="store_true", help="put what is kept into the README; measure only what is named"
    )
    asked = parser.parse_args()
    unknown = [one for one in asked.wanted if one.partition(":")[0] not in TABLES]
    if unknown:
        parser.error(f"unknown table {unknown[0]}; tables are {', '.join(TABLES)}")
    wanted = asked.wanted or ([] if asked.readme else list(TABLES))
    for name, table in TABLES.items():
        rows = [row for row in table.rows if name in wanted or f"{name}:{row}" in wanted]
        measured = {}
        for row in rows:
            cells = table.measure(row, asked.quick)
            measured[row] = list(cells)
            if not asked.quick:
                keep(name, row, cells)
        if measured:
            print(markdown(table, measured) + "\n", flush=True)
    if asked.readme:
        kept = read_kept()
        write_readme(markdown(table, kept[name]) for name, table in TABLES.items() if name in kept)


if __name__ == "__main__":
    main()
