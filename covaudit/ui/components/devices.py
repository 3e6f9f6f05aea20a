"""The workers and how busy their devices are."""

import streamlit as st

from covaudit.store import Store, workers
from covaudit.store.workers import Worker
from covaudit.ui.components.frame import chip
from covaudit.ui.text import ago, duration, literal, md_escape, utc_now


def show_devices(store: Store, is_work_waiting: bool) -> None:
    """A line for each worker that lives, and words where none does."""
    found = [worker for worker in workers.listing(store) if worker.is_alive(utc_now())]
    if not found:
        _say_none(store, is_work_waiting)
        return
    for worker in found:
        _show(worker, len({one.host for one in found}) > 1)
    if all(worker.device == "cpu" for worker in found):
        st.caption("CPU only: no GPU was found, so large networks and images take long.")


def _show(worker: Worker, is_host_shown: bool) -> None:
    where = f"{literal(worker.host)} · {worker.device}" if is_host_shown else worker.device
    works = chip("Works", ":material/play_circle:", "blue")
    state = works if worker.run_id else chip("Waits", ":material/schedule:", "gray")
    up = duration((utc_now() - worker.started).total_seconds())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"{state} **{md_escape(where)}**", width="content")
        if worker.load:
            share = worker.load["memory"] / max(worker.load["memory_total"], 1)
            st.progress(min(1.0, share), text=md_escape(f"memory; {worker.load_words}", 120), width=260)
        st.caption(f"up for {up}, heard of {ago(worker.beat)}")


def _say_none(store: Store, is_work_waiting: bool) -> None:
    if not store.settings.autostart:
        words = "No worker gives a sign of life. Start one: `python -m covaudit worker`"
        (st.warning if is_work_waiting else st.caption)(words)
    elif is_work_waiting:
        st.caption("A worker is being started.")
    else:
        st.caption("No worker is needed now; one is started with the next run.")
