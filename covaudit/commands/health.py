"""python -m covaudit sources scan, python -m covaudit sources check"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from covaudit.commands.base import AsJson, estimate_text, open_store, plain, print_json, print_table

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of sources.")]


def scan_sources(names: Names) -> None:
    """Look at every image of a source that is new or has changed. Ctrl-C ends it and keeps what was found."""
    from covaudit.jobs import scans
    from covaudit.store import sources

    store = open_store()
    for source in [sources.get(store, name) for name in names]:
        try:
            index = scans.scan(store, source, progress_of(source.name))
        except KeyboardInterrupt:
            typer.echo(f"\nEnded. What was found of {plain(source.name)} is kept; the next scan goes on.", err=True)
            raise typer.Exit(130) from None
        left_out = sum(index.dropped.values())
        typer.echo(plain(f"{source.name}: {len(index.table):,} images, {left_out:,} left out."))


def progress_of(name: str, things: str = "images") -> Callable[[int, int], None]:
    """A line on stderr that is written over on a terminal; in a file, ten lines in all."""
    over, last = sys.stderr.isatty(), -1

    def tell(done: int, total: int) -> None:
        nonlocal last
        share = 100 * done // total if over else 10 * done // total * 10
        if share != last:
            last = share
            typer.echo(f"\r{plain(name)}: {done:,} of {total:,} {things} " * over, nl=False, err=True)
            if not over or done == total:
                typer.echo(f"{plain(name)}: {share} % of {total:,} {things}" * (not over), err=True)

    return tell


def check_sources(names: Names, as_json: AsJson = False) -> None:
    """Say what is wrong with sources, alone and together, and by what they can be told apart."""
    from covaudit.jobs import scans
    from covaudit.store import sources

    store = open_store()
    chosen = [sources.get(store, name) for name in dict.fromkeys(names)]
    try:
        report = scans.check(store, chosen, progress_of("checking"))
    except KeyboardInterrupt:
        typer.echo("\nEnded. What was found is kept; the next check goes on.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
        return
    for one in report.findings:
        typer.echo(plain(f"{one.severity.upper():8}  {one.title}\n{'':10}{one.detail}"))
    rows = [(one.metric, one.class_name, one.source or "all", estimate_text(one)) for one in report.predictable]
    typer.echo("\nWhat metadata alone tell (AUROC, 95 % interval):")
    print_table(rows, ("TOLD", "WHICH", "WITHIN", "AUROC"))
