"""Runs in lists: their state as icon and word, their label, and the picker that pages with results share."""

from collections.abc import Sequence

import streamlit as st

from covaudit.domain.run import Run, RunState
from covaudit.store import Store, artifacts, runs
from covaudit.ui import state
from covaudit.ui.components.frame import chip, empty
from covaudit.ui.text import literal, md_escape, utc_now

_CHIPS: dict[RunState, tuple[str, str, str, str]] = {
    RunState.QUEUED: ("Queued", ":material/schedule:", "gray", "◷"),
    RunState.RUNNING: ("Running", ":material/play_circle:", "blue", "▶"),
    RunState.CANCELLING: ("Cancelling", ":material/hourglass:", "orange", "…"),
    RunState.DONE: ("Done", ":material/check_circle:", "green", "✓"),
    RunState.FAILED: ("Failed", ":material/error:", "red", "✕"),
    RunState.CANCELLED: ("Cancelled", ":material/block:", "gray", "⊘"),
}
_PICKER = "run_picker"


def state_word(run: Run, misses_files: bool = False) -> str:
    """'▶ Running', for tables, where there are no badges."""
    if misses_files:
        return "⚠ Done, files are missing"
    word, _, _, glyph = _CHIPS[run.state]
    return f"{glyph} No sign of life" if run.is_stale(utc_now()) else f"{glyph} {word}"


def state_chip(run: Run) -> str:
    """The state as a badge in Markdown."""
    word, icon, colour, _ = _CHIPS[run.state]
    if run.is_stale(utc_now()):
        return chip("No sign of life", ":material/warning:", "orange")
    return chip(word, icon, colour)


def run_label(run: Run) -> str:
    """Name and the beginning of the id, literal text for widgets that draw no Markdown."""
    return f"{literal(run.name, 60)} · {run.id[:6]}"


def finished_runs(store: Store) -> list[Run]:
    """Runs that have results, newest first."""
    return runs.listing(store, states=[RunState.DONE])


def pick_run(store: Store, label: str = "Run") -> Run | None:
    """A picker of finished runs, kept in the address; None after it has shown why there is none."""
    found = finished_runs(store)
    if not found:
        _say_none(store)
        return None
    chosen, dead = state.choose_run(found)
    if chosen is None:
        return None
    if dead:
        say_dead(store, dead)
    by_id = {run.id: run for run in found}
    st.session_state[_PICKER] = chosen.id
    st.selectbox(label, list(by_id), format_func=lambda key: run_label(by_id[key]), key=_PICKER, on_change=_follow)
    state.remember_run(chosen.id)
    say_missing(store, [chosen])
    return chosen


def pick_runs(store: Store, label: str, least: int) -> list[Run]:
    """Several finished runs, kept in the address; [] after it has shown why there are too few."""
    found = finished_runs(store)
    if len(found) < least:
        _say_none(
            store, f"Comparing takes {least} finished runs; there {'is one' if len(found) == 1 else 'are none'} yet."
        )
        return []
    asked = [run for run in (state.find_run(one, found) for one in state.asked_runs()) if run]
    by_id = {run.id: run for run in found}
    if "runs_picker" not in st.session_state:
        st.session_state["runs_picker"] = [run.id for run in (asked or found[:least][::-1])]
    ids = st.multiselect(
        label, list(by_id), format_func=lambda key: run_label(by_id[key]), key="runs_picker", max_selections=20
    )
    state.remember_runs(ids)
    say_missing(store, [by_id[one] for one in ids])
    return [by_id[one] for one in ids]


def say_missing(store: Store, shown: Sequence[Run]) -> None:
    """Which files of these runs are gone; what they found is in the database and is shown all the same."""
    for run_id, names in artifacts.missing(store, shown).items():
        st.warning(
            f"Files of run {run_id[:6]} are missing: {md_escape(', '.join(names), 300)}. What needs them is not shown. "
            "Put them back, or retry the run.",
            icon=":material/folder_off:",
        )


def _follow() -> None:
    state.forget_dead()
    state.remember_run(st.session_state[_PICKER])


def _say_none(store: Store, cause: str = "No run is finished yet.") -> None:
    active = runs.listing(store, limit=1, states=[RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING])
    if active:
        empty(f"{cause} One is on its way.", "Watch it", "pages/jobs.py", ":material/hourglass:")
    elif runs.listing(store, limit=1):
        empty(f"{cause} The others failed or were cancelled.", "See why", "pages/jobs.py", ":material/error:")
    else:
        empty(cause, "Run the demo", "pages/overview.py")


def say_dead(store: Store, asked: str) -> None:
    """Why the run that the address named is not shown."""
    other = state.find_run(asked, runs.listing(store))
    if other is None:
        st.warning(f"There is no run {md_escape(asked)} here; perhaps it was removed. Another one is shown instead.")
    else:
        word = _CHIPS[other.state][0].lower()
        st.warning(f"Run {md_escape(run_label(other))} has no results (it is {word}). Another one is shown instead.")


def active_runs(found: Sequence[Run]) -> list[Run]:
    """Those that a worker has, or will have."""
    return [run for run in found if not run.state.is_finished]
