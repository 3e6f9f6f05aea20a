"""What outlives one drawing of a page: the store, the start of the process, and every query and session key."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from covaudit.domain.mixture import Mixture
from covaudit.domain.run import Run
from covaudit.domain.source import Source
from covaudit.domain.task import Task
from covaudit.jobs import demo, submit
from covaudit.settings import Settings
from covaudit.sources.index import SourceIndex
from covaudit.sources.sampling import count_cells
from covaudit.store import Store
from covaudit.ui.navigation import through_app

# Query keys: parts of links that people share.
RUN = "run"
RUNS = "runs"
IMAGE = "image"
COPY = "copy"

# Session keys.
_RUN_MEMORY = "run_memory"
_RUNS_MEMORY = "runs_memory"
_DEAD = "dead_run"

_LOG = logging.getLogger(__name__)


def settings() -> Settings:
    return Settings.from_env()


def enter_page() -> Store:
    """What every page begins with: it is run through app.py, and has the store of this process."""
    through_app()
    return _open_store(settings())


@st.cache_resource(hash_funcs={Settings: repr}, show_spinner=False)
def _open_store(of: Settings) -> Store:
    return Store.open(of)


def start_once() -> None:
    """The first page that is drawn starts the workers and, in an empty workspace, the demo."""
    _start(settings())


@st.cache_resource(hash_funcs={Settings: repr}, show_spinner="Starting the workers …")
def _start(of: Settings) -> None:
    demo.start_up(_open_store(of))


def index_tables(store: Store) -> Mapping[str, pd.DataFrame]:
    """The index of every source; empty for one whose folder cannot be read."""
    return submit.available(store)


def source_index(store: Store, source: Source) -> SourceIndex:
    """The index of one source with the counted reasons for what was left out. Raises `CovauditError`."""
    return submit.index_of(store, source)


def forget_indexes() -> None:
    """Read all sources anew, after one was added or removed."""
    submit.forget_indexes()


def available_cells(task: Task, tables: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], int]:
    """How many images each source has for each class of a task."""
    counts: dict[tuple[str, str], int] = {}
    for source, table in tables.items():
        for label, n in table["label"].value_counts().items():
            name = task.class_of(str(label))
            if name is not None:
                counts[source, name] = counts.get((source, name), 0) + int(n)
    return counts


def used_cells(mixture: Mixture, task: Task, tables: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], int]:
    """How many images a mixture would draw for each source and class, after its limits."""
    return count_cells(mixture, task, tables)


def follow_address(key: str, options: Mapping[str, str], default: str) -> Callable[[], None]:
    """Set the choice of the widget `key` from the address, to be called before it is drawn; what its `on_change` calls.

    The address holds one of `options`, nothing for `default`. Streamlit's own binding writes the words that are shown,
    which change with our wording; in an address that was kept they are understood. Who comes back to a page finds what
    was chosen there.
    """
    memory = f"{key}_chosen"
    is_new_here = key not in st.session_state
    asked = str(st.query_params.get(key) or (st.session_state.get(memory) if is_new_here else "") or default)
    asked = {words: value for value, words in options.items()}.get(asked, asked)
    now = asked if asked in options else default
    if st.session_state.get(key) != now:
        st.session_state[key] = now
    _write_address(key, now, default)
    st.session_state[memory] = now

    def keep() -> None:
        _write_address(key, st.session_state[key], default)

    return keep


def _write_address(key: str, value: str, default: str) -> None:
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value


class Chosen(NamedTuple):
    """The run to show, if any; `dead` is what the address named when there is no such run."""

    run: Run | None
    dead: str | None


def choose_run(among: Sequence[Run], otherwise: Run | None = None) -> Chosen:
    """The run that the address names, else the one looked at last, else `otherwise`, else the first.

    A dead link is told until the person goes to another run, though the address names a real one by then.
    """
    named, last = st.query_params.get(RUN), st.session_state.get(_RUN_MEMORY)
    found = find_run(named or last, among)
    if named and found is None:
        st.session_state[_DEAD] = named
    elif named != last:
        forget_dead()
    return Chosen(found or otherwise or (among[0] if among else None), st.session_state.get(_DEAD))


def forget_dead() -> None:
    """The person has chosen a run: a dead link needs no more telling."""
    st.session_state.pop(_DEAD, None)


def remember_run(run_id: str) -> None:
    """Keep a run in the address and for the next page."""
    st.session_state[_RUN_MEMORY] = run_id
    if st.query_params.get(RUN) != run_id:
        st.query_params[RUN] = run_id


def asked_runs() -> list[str]:
    """The runs that the address names for a comparison, else those compared last."""
    named = st.query_params.get(RUNS)
    return named.split(",") if named else list(st.session_state.get(_RUNS_MEMORY, []))


def remember_runs(run_ids: Sequence[str]) -> None:
    st.session_state[_RUNS_MEMORY] = list(run_ids)
    joined = ",".join(run_ids)
    if joined and st.query_params.get(RUNS) != joined:
        st.query_params[RUNS] = joined
    elif not joined and RUNS in st.query_params:
        del st.query_params[RUNS]


def find_run(asked: str | None, among: Sequence[Run]) -> Run | None:
    """The run whose id is, or alone begins with, what was asked for (at least 4 characters)."""
    if not asked or len(asked) < 4:
        return None
    found = [run for run in among if run.id.startswith(asked)]
    return found[0] if len(found) == 1 else None
