"""The table of runs with state, place, progress and time left; the chosen row is kept in the address."""

import zlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.run import Run, RunState
from covaudit.jobs import submit, timing
from covaudit.store import Store, artifacts
from covaudit.ui import state
from covaudit.ui.components.progress import stage_words, time_left
from covaudit.ui.components.runs import say_dead, state_word
from covaudit.ui.text import DASH, ago, as_utc, literal, utc_now


def pick_job(store: Store, found: Sequence[Run]) -> Run | None:
    """The run of the chosen row, else the one that the address names, else the newest."""
    current, dead = state.choose_run(found, next((run for run in found if run.state is RunState.RUNNING), None))
    if current is None:
        return None
    if dead:
        say_dead(store, dead)
    ids = [run.id for run in found]
    # A new run moves all rows down: with another key the table starts from `selection_default` again.
    key = f"jobs_{zlib.crc32(','.join(ids).encode())}"
    event = st.dataframe(
        jobs_frame(store, found),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(current.id)], "columns": [], "cells": []}},
        column_config={
            "Done": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%d %%"),
            "Created": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
        },
        height=min(38 + 35 * len(found), 318),
        alt="Runs with their state, progress and time left",
    )
    rows = event["selection"]["rows"]
    chosen = found[rows[0]] if rows and rows[0] < len(found) else current
    if chosen != current:
        state.forget_dead()
    state.remember_run(chosen.id)
    return chosen


def jobs_frame(store: Store, found: Sequence[Run]) -> pd.DataFrame:
    """One row a run; names are literal text."""
    gone = artifacts.missing(store, found)
    return pd.DataFrame([_row(store, run, run.id in gone) for run in found])


def _row(store: Store, run: Run, misses_files: bool) -> dict[str, object]:
    is_active = run.state in (RunState.RUNNING, RunState.CANCELLING)
    position = submit.queue_position(store, run.id) if run.state is RunState.QUEUED else None
    return {
        "State": state_word(run, misses_files),
        "Run": literal(run.name),
        "Done": round(100 * timing.share_done(store, run)),
        "Step": f"place {position} in the queue" if position else stage_words(run),
        "Time left": time_left(store, run),
        "Updated": ago(run.beat, utc_now()) if is_active else DASH,
        "Created": as_utc(run.created),
        "Id": run.id,
    }
