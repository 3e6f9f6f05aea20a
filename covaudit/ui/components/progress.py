"""One run while it waits and works, and how it ended: progress, curves, log, and what can be done about it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from covaudit.domain.run import EpochRecord, Run, RunState
from covaudit.figures.history import history_info, plot_history
from covaudit.jobs import submit
from covaudit.store import Store, results, runs
from covaudit.ui import state
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.runs import say_missing, state_chip
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import DASH, ago, as_utc, duration, duration_range, literal, md_escape, utc_now

LOG_LINES = 200
_LOG_BYTES = 256 * 1024
_AFTER_TRAINING = 0.3  # scoring, heat maps and checks, as a share of the training's time; seen on two CPU cores


def time_left(run: Run, epochs: Sequence[EpochRecord]) -> str:
    """A range in words, from the slowest and fastest of the last epochs; a dash while nothing is known."""
    total = run.experiment.training.epochs
    if run.state is not RunState.RUNNING or not epochs:
        return DASH
    recent = [record.seconds for record in epochs[-5:]]
    left, after = total - epochs[-1].epoch, _AFTER_TRAINING * total * sum(recent) / len(recent)
    return duration_range(left * min(recent) + after / 2, left * max(recent) + after)


def share_done(run: Run, epochs: Sequence[EpochRecord] = ()) -> float:
    """How much of a run is done, in [0, 1]: epochs count for most of it."""
    if run.state is RunState.DONE:
        return 1.0
    trained = len(epochs) / run.experiment.training.epochs
    step = run.progress.done / run.progress.total if run.progress.total else 0.0
    within = 0.05 * step if not epochs and run.progress.stage != "training" else 0.05
    return min(0.99, within + 0.75 * trained + (0.2 * step if trained >= 1 else 0.0)) if run.started else 0.0


def stage_words(run: Run) -> str:
    """The step in words with its count, literal text."""
    if run.state is RunState.QUEUED:
        return "waiting for a worker"
    if run.state.is_finished:
        return run.state.value
    step = run.progress
    return f"{literal(step.stage) or 'starting'}{f', {step.done:,} of {step.total:,}' if step.total else ''}"


def show_run(store: Store, run: Run) -> None:
    """Everything about one run, gravest first."""
    epochs = runs.epochs(store, run.id)
    st.subheader(md_escape(run.name), anchor=False)
    st.markdown(" · ".join(_facts(run)))
    if not run.state.is_finished:
        _show_progress(store, run, epochs)
    if run.state in (RunState.FAILED, RunState.CANCELLED):
        _show_reason(store, run)
    say_missing(store, [run])
    _show_actions(store, run)
    if epochs:
        st.markdown("**Learning curves**")
        figure = plot_history(history_info(epochs))
        alt = f"Losses and validation balanced accuracy of {len(epochs)} epochs"
        show_chart(figure, key=f"curves_{run.id}_{run.attempt}", alt=alt)
    _show_log(results.folder(store, run) / "log.txt", run)


def _facts(run: Run) -> list[str]:
    facts = [state_chip(run), f"`{run.id}`"]
    if run.attempt > 1:
        facts.append(f"attempt {run.attempt}")
    if run.device and run.started:
        facts.append(f"on {md_escape(run.device)}")
    if run.started and run.finished:
        facts.append(f"took {duration((as_utc(run.finished) - as_utc(run.started)).total_seconds())}")
    elif run.beat:
        facts.append(f"updated {ago(run.beat)}")
    return facts


def _show_progress(store: Store, run: Run, epochs: Sequence[EpochRecord]) -> None:
    if run.is_stale(utc_now()):
        st.warning(
            f"No sign of life since {ago(run.beat or run.started)}. Its worker may have died or the machine slept; "
            "another worker takes the run over when it starts. You can also cancel it."
        )
    position = submit.queue_position(store, run.id)
    words = stage_words(run) if position is None else f"waiting, place {position} in the queue"
    left = time_left(run, epochs)
    st.progress(share_done(run, epochs), text=md_escape(words) + (f" · {left} left" if left != DASH else ""))


def _show_reason(store: Store, run: Run) -> None:
    if run.state is RunState.CANCELLED:
        st.info(md_escape(run.reason or "Cancelled.", 600), icon=":material/block:")
        return
    with st.container(border=True):
        st.markdown(":red-badge[:material/error: What happened]")
        st.text(literal(run.reason or "The run stopped without saying why.", 1200))
        st.markdown("**What to do**")
        st.text(what_to_do(run))
        tail = read_log(results.folder(store, run) / "log.txt")[-8:]
        if tail:
            st.markdown("**Last lines of the log**")
            st.code("\n".join(tail), language=None, wrap_lines=True)


def what_to_do(run: Run) -> str:
    """The next step for a failed run, from its reason."""
    reason = (run.reason or "").lower()
    if "memory" in reason:
        training = run.experiment.training
        return (
            f"Duplicate it with a smaller batch (now {training.batch_size}) or image size (now {training.image_size}), "
            "close other programs, and start again."
        )
    if any(word in reason for word in ("source", "image", "folder", "class")):
        return "Look at the source on the Sources page, or duplicate the run with another mixture."
    return "Retry it; if it fails in the same way, the log says where. Nothing of the run is lost."


def _show_actions(store: Store, run: Run) -> None:
    with st.container(horizontal=True, gap="small"):
        if run.state is RunState.DONE:
            if st.button("See the results", type="primary", icon=":material/monitoring:", key="to_results"):
                st.switch_page("pages/results.py", query_params={state.RUN: run.id})
        elif run.state.is_finished and st.button("Retry", type="primary", icon=":material/replay:", key="retry"):
            _act(lambda: submit.retry(store, run.id))
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            _confirm_cancel(store, run)
        if st.button("Duplicate with changes", icon=":material/content_copy:", key="duplicate"):
            st.switch_page("pages/compose.py", query_params={state.COPY: run.id})
        if run.state.is_finished:
            with st.popover("Remove", icon=":material/delete:"):
                st.text("Its results, heat maps and log go to the trash, and for good after 30 days.")
                if st.button("Remove this run", type="primary", key="remove"):
                    _act(lambda: submit.remove(store, run.id))


def _confirm_cancel(store: Store, run: Run) -> None:
    with st.popover("Cancel", icon=":material/block:"):
        done = len(runs.epochs(store, run.id))
        st.text(f"{done} of {run.experiment.training.epochs} epochs are done; they are lost, the log is kept.")
        if st.button("Cancel this run", type="primary", key="cancel"):
            _act(lambda: submit.cancel(store, run.id))


def _act(action: Callable[[], object]) -> None:
    with shown_errors():
        action()
        st.rerun()


def read_log(path: Path) -> list[str]:
    """The last lines of a log, control characters spelled out; [] when there is none yet."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(0, 2)
        start = max(0, file.tell() - _LOG_BYTES)
        file.seek(start)
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return [literal(line.expandtabs(4), 500) for line in lines[1 if start else 0 :]][-LOG_LINES:]


def _show_log(path: Path, run: Run) -> None:
    with st.expander("Log", icon=":material/description:", expanded=not run.state.is_finished):
        lines = read_log(path)
        if not lines:
            st.text("The log is empty so far.")
            return
        wanted = st.text_input(
            "Search the log", key=f"log_search_{run.id}", placeholder="Only lines with these letters"
        )
        found = [line for line in lines if wanted.lower() in line.lower()] if wanted else lines
        st.code("\n".join(found) or "No line has these letters.", language=None, height=300, wrap_lines=True)
        st.download_button(
            "Download the log",
            path.read_bytes(),
            f"{run.id}-log.txt",
            "text/plain",
            icon=":material/download:",
            on_click="ignore",
        )
