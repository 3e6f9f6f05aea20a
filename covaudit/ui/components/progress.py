"""One run while it waits and works, and how it ended: progress, curves, log, and what can be done about it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from covaudit.domain.run import GATHER, EpochRecord, Fold, Run, RunState
from covaudit.domain.time_left import TRAINING
from covaudit.figures.history import history_info, plot_history
from covaudit.jobs import submit, timing
from covaudit.store import Store, artifacts, folds, results, runs
from covaudit.ui import state
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.runs import say_missing, state_chip
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import DASH, ago, as_utc, duration, duration_range, literal, md_escape, utc_now

LOG_LINES = 200
_LOG_BYTES = 256 * 1024


def time_left(store: Store, run: Run) -> str:
    """A range in words; a dash while nothing is known."""
    left = timing.left(store, run)
    return duration_range(*left) if left else DASH


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
    jobs = [job for job in folds.listing(store, run.id) if job.number != GATHER]
    st.subheader(md_escape(run.name), anchor=False)
    st.markdown(" · ".join(_facts(run)))
    if not run.state.is_finished:
        _show_progress(store, run)
    if run.state in (RunState.FAILED, RunState.CANCELLED):
        _show_reason(store, run)
    say_missing(store, [run])
    _show_actions(store, run)
    fold = _pick_fold(run, jobs) if len(jobs) > 1 else 0
    _show_curves(run, fold, runs.epochs(store, run.id, fold=fold))
    _show_log(_log_of(store, run, jobs, fold), run)


def _pick_fold(run: Run, jobs: Sequence[Fold]) -> int:
    """The folds with their states; the one whose curves and log are shown."""
    st.markdown("**Folds**")
    at_work = next((job.number for job in jobs if job.state is RunState.RUNNING), 0)
    words = {job.number: f"{job.number + 1} {fold_words(run, job)}" for job in jobs}
    chosen = st.pills(
        "Fold", list(words), format_func=words.__getitem__, default=at_work, required=True, key=f"fold_{run.id}"
    )
    return int(chosen or 0)


def fold_words(run: Run, job: Fold) -> str:
    """'✓', '▶ epoch 3 of 8', '◷ waits', literal text."""
    if job.state is RunState.QUEUED:
        return "◷ waits"
    if job.state is not RunState.RUNNING:
        return {RunState.DONE: "✓", RunState.FAILED: "✕ failed"}.get(job.state, job.state.value)
    step = job.progress
    if step.stage != TRAINING or not step.total:
        return f"▶ {literal(step.stage) or 'starting'}"
    epochs = run.experiment.training.epochs
    return f"▶ epoch {min(int(step.done / step.total * epochs) + 1, epochs)} of {epochs}"


def _show_curves(run: Run, fold: int, epochs: Sequence[EpochRecord]) -> None:
    if not epochs:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Learning curves**", width="content")
        is_log = st.toggle("Logarithmic loss", key="log_loss")
    figure = plot_history(history_info(epochs), log_loss=is_log)
    alt = f"Losses and validation balanced accuracy of {len(epochs)} epochs"
    show_chart(figure, key=f"curves_{run.id}_{run.attempt}_{fold}", alt=alt)


def _log_of(store: Store, run: Run, jobs: Sequence[Fold], fold: int) -> Path:
    attempt = next((job.attempt for job in jobs if job.number == fold), run.attempt)
    return artifacts.fold_folder(store, run.id, attempt, fold, run.experiment.n_folds) / "log.txt"


def _facts(run: Run) -> list[str]:
    facts = [state_chip(run), f"`{run.id}`"]
    if run.experiment.repeat_of:
        facts.append(f"repeats `{run.experiment.repeat_of}`")
    if run.attempt > 1:
        facts.append(f"attempt {run.attempt}")
    if run.device and run.started:
        facts.append(f"on {md_escape(run.device)}")
    if run.started and run.finished:
        facts.append(f"took {duration((as_utc(run.finished) - as_utc(run.started)).total_seconds())}")
    elif run.beat:
        facts.append(f"updated {ago(run.beat)}")
    return facts


def _show_progress(store: Store, run: Run) -> None:
    if run.is_stale(utc_now()):
        st.warning(
            f"No sign of life since {ago(run.beat or run.started)}. Its worker may have died or the machine slept; "
            "another worker takes the run over when it starts. You can also cancel it."
        )
    position = submit.queue_position(store, run.id)
    words = stage_words(run) if position is None else f"waiting, place {position} in the queue"
    left = time_left(store, run)
    st.progress(timing.share_done(store, run), text=md_escape(words) + (f" · {left} left" if left != DASH else ""))


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
