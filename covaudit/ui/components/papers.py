"""The sections of the Papers page."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.run import Run, RunState
from covaudit.papers import ours
from covaudit.papers.cells import PAPERS
from covaudit.papers.check import CHECKS, Report, as_json, check_papers
from covaudit.papers.tables import PrintedTable, plain_rows, printed_tables
from covaudit.store import Store, results, runs
from covaudit.tables import FORMATS
from covaudit.ui.components.exports import download, json_bytes
from covaudit.ui.components.frame import choose
from covaudit.ui.text import DASH, count, interval, literal

_FLAG = "⚑ "
_ENDINGS = {"csv": ("CSV", "csv", "text/csv"), "markdown": ("Markdown", "md", "text/markdown")}
_ENDINGS["latex"] = ("LaTeX", "tex", "application/x-tex")


@st.cache_resource(show_spinner="Computing the tables again …")
def _report() -> Report:
    return check_papers()


def show_rules() -> None:
    """How many cells of each kind come out as printed."""
    report = _report()
    st.subheader("Computed again", anchor=False)
    for name, box in zip(
        ("class_cells", "overall_cells", "recall_is_accuracy"), st.columns(3, gap="small"), strict=True
    ):
        agreed, n = report.agreed(name)
        with box.container(border=True, height="stretch"):
            st.metric(f"{agreed} of {n}", f"{agreed} of {n}", label_visibility="collapsed")
            st.text(CHECKS[name].title)
    rows = []
    for name in report.cells:
        agreed, n = report.agreed(name)
        flagged = sum(bool(cell.flag) for cell in report.cells[name])
        rows.append({"Rule": CHECKS[name].title, "As printed": f"{agreed} of {n}", "Flagged": flagged})
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        alt="Rules, how many cells keep them, how many are flagged",
    )
    download("Checks (JSON)", json_bytes(as_json(report)), "papers-check.json", "application/json")


def show_claims() -> None:
    st.subheader("What the tests can carry", anchor=False)
    st.text("The sentences of the papers that rest on a comparison or on few images, with 95 % intervals.")
    for claim in _report().claims:
        with st.container(border=True):
            mark = ":green-badge[:material/check: carried]" if claim.is_carried else (
                ":orange-badge[:material/warning: not carried]"
            )  # fmt: skip
            st.markdown(f"{mark} **{PAPERS[claim.paper]}**")
            st.text(f"{claim.said}\n{claim.numbers}\n{claim.verdict}")


def show_tables() -> None:
    """A printed table with its flags, and its downloads."""
    st.subheader("The printed tables", anchor=False)
    report = _report()
    tables = {f"{one.paper}-{one.name}": one for one in printed_tables(report)}
    paper = choose("Paper", PAPERS, "paper", "1")
    names = {key: _name(one) for key, one in tables.items() if one.paper == paper}
    chosen = st.selectbox("Table", list(names), format_func=names.__getitem__, key=f"table_of_{paper}")
    table = tables[chosen]
    st.markdown(f"**{table.name}: {table.title}**")
    frame = pd.DataFrame(
        [[f"{_FLAG if entry.flag else ''}{entry.text}" for entry in row] for row in table.rows], columns=table.header
    )
    st.dataframe(
        frame, hide_index=True, height="content", alt=f"{table.name} as printed; flagged cells begin with a flag"
    )
    _show_flags(table)
    header, rows = plain_rows(table)
    with st.container(horizontal=True, gap="small"):
        for form, (label, ending, mime) in _ENDINGS.items():
            name = f"paper-{table.paper}-{table.name}".replace(" ", "-").replace(",", "").lower()
            download(label, FORMATS[form](header, rows).encode(), f"{name}.{ending}", mime)


def _name(table: PrintedTable) -> str:
    flagged = f" · {count(table.n_flags, 'flag')}" if table.n_flags else ""
    return f"{table.name}: {table.title}{flagged}"


def _show_flags(table: PrintedTable) -> None:
    found: dict[str, list[str]] = {}
    for row in table.rows:
        for name, entry in zip(table.header, row, strict=True):
            if entry.flag:
                found.setdefault(entry.flag, []).append(f"{row[0].text}: {name}")
    if not found:
        st.text("No cell is flagged.")
        return
    rows = [{"Why": reason, "Where": ", ".join(places)} for reason, places in found.items()]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Reasons for the flags and the cells that they are about")


def show_ours(store: Store) -> None:
    """Our own runs of each setup, their counts beside the printed ones."""
    st.subheader("Our own runs of the setups", anchor=False)
    st.text(
        "Runs of this workspace whose name tells a setup. They are ours: other images, other counts, our own "
        "intervals. A number of ours neither confirms nor refutes the printed one."
    )
    done = [run for run in runs.listing(store) if run.state is RunState.DONE and ours.setup_of(run.name)]
    rows = [row for question in ours.asked() for row in _rows_of(store, question, done)]
    frame = pd.DataFrame(rows)
    st.dataframe(
        frame, hide_index=True, height="content", alt="Printed results of each setup and our own runs of it",
        # Wide enough for a value with its interval, whatever the first rows hold.
        column_config={
            "Printed": st.column_config.TextColumn(width=185), "Ours": st.column_config.TextColumn(width=165),
        },
    )  # fmt: skip
    if not done:
        st.info("No run of a setup yet: start one from a preset on the Compose page.", icon=":material/info:")
    header, cells = list(frame.columns), frame.astype(str).to_numpy().tolist()
    with st.container(horizontal=True, gap="small"):
        for form, (label, ending, mime) in _ENDINGS.items():
            download(f"{label} of our runs", FORMATS[form](header, cells).encode(), f"our-runs.{ending}", mime)


def _rows_of(store: Store, question: ours.Asked, done: Sequence[Run]) -> list[dict[str, str]]:
    printed = {
        "Setup": question.setup,
        "Printed": f"{question.metric.replace('_', ' ')} {question.printed}",
        "Test images, printed": f"{question.n:,}",
    }
    found = []
    for run in done:
        if ours.setup_of(run.name) == question.setup:
            estimate = ours.our_estimate(results.estimates(store, run.id), question)
            answer = DASH if estimate is None else f"{interval(estimate)}, {estimate.split}"
            n = DASH if estimate is None else f"{estimate.n:,}"
            found.append(
                printed | {"Ours": answer, "Test images, ours": n, "Our run": f"{literal(run.name, 40)} · {run.id[:6]}"}
            )
    return found or [printed | {"Ours": DASH, "Test images, ours": DASH, "Our run": "no run of ours"}]
