"""Wait for runs and say on stderr how far they are."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from covaudit.commands.base import plain
from covaudit.domain.run import Run, RunState

if TYPE_CHECKING:
    from covaudit.store import Store


def wait_for(store: "Store", wanted: Mapping[str, str]) -> dict[str, Run]:
    """Wait for runs, given by title. A worker is started if none is there."""
    from covaudit.jobs import submit

    line, finished = _Line(), {}
    for title, run_id in wanted.items():

        def tell(run: Run, title: str = title) -> None:
            line.show(f"{title}: {_words(run)}", _left(store, run))

        finished[title] = submit.wait(store, run_id, on_change=tell, ensure_worker=True)
    line.end()
    return finished


def _left(store: "Store", run: Run) -> str:
    from covaudit.figures.text import duration_range
    from covaudit.jobs import timing

    left = timing.left(store, run)
    return f", {duration_range(*left)} left" if left else ""


def _words(run: Run) -> str:
    if run.state is RunState.QUEUED:
        return "waits for a worker"
    if run.state is not RunState.RUNNING:
        return str(run.state)
    share = f" {run.progress.done}/{run.progress.total}" if run.progress.total else ""
    return f"{run.progress.stage or 'starts'}{share}"


@contextmanager
def show_bytes() -> Iterator[Callable[[str, int, int | None], None]]:
    """A line for a download and its unpacking: called with the stage, bytes done, and bytes in all where known."""
    line = _Line()

    def tell(stage: str, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:,.0f}" if total else ""
        line.show(f"{stage} {done / 1e6:,.0f}{of} MB")

    try:
        yield tell
    finally:
        line.end()


class _Line:
    """One line that is written over on a terminal; in a file, a line for each change of words."""

    def __init__(self) -> None:
        self._over = sys.stderr.isatty()
        self._last = ""

    def show(self, text: str, on_a_terminal: str = "") -> None:
        text = plain(text)
        if self._over:
            typer.echo(f"\r{(text + on_a_terminal)[:100]:100}", nl=False, err=True)
        elif _wording(text) != self._last:
            typer.echo(text, err=True)
        self._last = _wording(text)

    def end(self) -> None:
        if self._over and self._last:
            typer.echo("", err=True)


def _wording(text: str) -> str:
    """The text without its numbers."""
    return "".join(char for char in text if char not in "0123456789,/")
