"""Wait for runs and say on stderr how far they are."""

import sys
from collections.abc import Mapping
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
            line.show(f"{title}: {_words(run)}")

        finished[title] = submit.wait(store, run_id, on_change=tell, ensure_worker=True)
    line.end()
    return finished


def _words(run: Run) -> str:
    if run.state is RunState.QUEUED:
        return "waits for a worker"
    if run.state is not RunState.RUNNING:
        return str(run.state)
    share = f" {run.progress.done}/{run.progress.total}" if run.progress.total else ""
    return f"{run.progress.stage or 'starts'}{share}"


class _Line:
    """One line that is written over on a terminal; in a file, a line for each change of words."""

    def __init__(self) -> None:
        self._over = sys.stderr.isatty()
        self._last = ""

    def show(self, text: str) -> None:
        text = plain(text)
        if self._over:
            typer.echo(f"\r{text[:100]:100}", nl=False, err=True)
        elif text.rstrip("0123456789/ ") != self._last:
            typer.echo(text, err=True)
        self._last = text.rstrip("0123456789/ ")

    def end(self) -> None:
        if self._over and self._last:
            typer.echo("", err=True)
