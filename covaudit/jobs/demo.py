"""The demo: queued by itself in an empty workspace, and not again once a person has removed it."""

from collections.abc import Sequence

from covaudit.domain.presets import DEMO, PRESETS
from covaudit.domain.run import Run
from covaudit.jobs import autostart, submit
from covaudit.store import Store, runs, sources

_REMOVED = "demo-removed"


def start_up(store: Store) -> None:
    """What the app begins with, unless the settings forbid it: a worker a device, and the demo where nothing is yet."""
    if not store.settings.autostart:
        return
    autostart.ensure_workers(store.settings)
    is_empty = not runs.listing(store, limit=1) and all(source.path is None for source in sources.listing(store))
    if is_empty and not (store.workspace / _REMOVED).exists():
        queue(store)


def queue(store: Store) -> list[str]:
    """Queue both demo presets; the ids of their runs."""
    (store.workspace / _REMOVED).unlink(missing_ok=True)
    return [submit.submit(store, PRESETS[name], demo=True).run_id for name in DEMO]


def remove(store: Store, found: Sequence[Run]) -> list[Run]:
    """Remove the finished runs of the demo and stop the others, which come back: they can be removed in a moment."""
    (store.workspace / _REMOVED).touch()
    stopping = []
    for run in found:
        now = run if run.state.is_finished else submit.cancel(store, run.id)
        if now.state.is_finished:
            submit.remove(store, now.id)
        else:
            stopping.append(now)
    return stopping
