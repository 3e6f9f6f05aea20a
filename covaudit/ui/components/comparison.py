"""The sections of the Compare page."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.compare import differences
from covaudit.domain.estimate import Estimate
from covaudit.domain.run import Run
from covaudit.figures.compare import compare_info, plot_compare
from covaudit.figures.confusion import confusion_info, plot_confusion
from covaudit.figures.text import METRICS, SPLITS
from covaudit.reports.tables import HEADLINE, OVERALL, find
from covaudit.store import Store, results
from covaudit.ui import state
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.frame import choose
from covaudit.ui.components.images import alt_of, original_of, overlay_of
from covaudit.ui.text import count, interval, literal, md_escape, share

TESTS = ("internal", "external")
_ROWS = 4
_IMAGE = ["source", "image_id"]


def names_of(chosen: Sequence[Run]) -> list[str]:
    """A short name for each run, unlike the others; literal text."""
    names = [literal(run.name, 40) for run in chosen]
    return [
        f"{name} · {run.id[:6]}" if names.count(name) > 1 else name for name, run in zip(names, chosen, strict=True)
    ]


def show_differences(chosen: Sequence[Run]) -> None:
    st.subheader("What differs in the experiments", anchor=False)
    rows = differences([run.experiment for run in chosen])
    if not rows:
        st.text("Nothing but the name: the runs ask the same question.")
        return
    frame = pd.DataFrame({"Field": [literal(row.key, 120) for row in rows]})
    for place, name in enumerate(names_of(chosen)):
        frame[name] = [literal(row.values[place] or "–", 120) for row in rows]
    st.dataframe(frame, hide_index=True, alt="Fields in which the experiments differ")


def metrics_of(found: Sequence[Sequence[Estimate]]) -> list[str]:
    """The overall metrics that some of the runs have, `HEADLINE` first: exact match, Hamming loss and contradictions of
    multi-label runs, accuracy and its kin of the others."""
    there = {one.metric for estimates in found for one in estimates if one.is_overall}
    return [HEADLINE, *(name for name in OVERALL if name in there and name != HEADLINE)]


def show_metrics(store: Store, chosen: Sequence[Run]) -> None:
    st.subheader("Metrics", anchor=False)
    names, found = names_of(chosen), [results.estimates(store, run.id) for run in chosen]
    options = {name: METRICS[name] for name in metrics_of(found)}
    keep = state.follow_address("metric", options, HEADLINE)
    metric = st.selectbox("Metric", list(options), format_func=options.__getitem__, key="metric", on_change=keep)
    figure = plot_compare(compare_info(dict(zip(names, found, strict=True)), (metric,)))
    show_chart(figure, key="compare", alt=f"{METRICS[metric]} of each run on each test, with 95 % intervals")
    rows = [
        {"Run": name} | {SPLITS[split]: interval(find(one, split, metric)) for split in (*TESTS, "gap")}
        for name, one in zip(names, found, strict=True)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{METRICS[metric]} with 95 % intervals")


def show_confusions(store: Store, chosen: Sequence[Run]) -> None:
    st.subheader("Confusion matrices", anchor=False)
    split = choose("Test", {name: SPLITS[name] for name in TESTS}, "split", "external")
    with st.grid(min_column_width=300, gap="medium") as grid:
        for run, name in zip(chosen, names_of(chosen), strict=True):
            with grid.cell():
                st.markdown(f"**{md_escape(name)}**")
                found = next((one for one in results.confusions(store, run.id) if one.split == split), None)
                if found is None:
                    st.text("No image in this test.")
                    continue
                alt = f"{literal(name)}, {SPLITS[found.split]}: truth (rows) against prediction"
                show_chart(plot_confusion(confusion_info(found)), key=f"confusion_{run.id}", alt=alt)


def shared_images(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Images with a heat map in every table, those first on which the runs differ most.

    Index (source, image_id); columns `spread` (of the probability of the truth) and `n_wrong`.
    """
    columns = []
    for table in tables:
        rows = table[table["heatmap_row"] >= 0].drop_duplicates(_IMAGE).set_index(_IMAGE)
        truth = _p_of_truth(rows)
        columns.append(pd.DataFrame({"p": truth, "wrong": rows["predicted"] != rows["class_name"]}, index=rows.index))
    shared = pd.concat(columns, axis=1, join="inner", keys=range(len(columns)))
    p, wrong = shared.xs("p", axis=1, level=1), shared.xs("wrong", axis=1, level=1)
    found = pd.DataFrame({"spread": p.max(axis=1) - p.min(axis=1), "n_wrong": wrong.sum(axis=1)})
    return found.sort_values("spread", ascending=False, kind="stable")


def _p_of_truth(rows: pd.DataFrame) -> list[float]:
    """The probability of the true class of each row; of a multi-label run, the mean over the labels of what is said of
    each rightly: its probability where it is there, the rest of 1 where it is not."""
    labels = [name.removeprefix("t_") for name in rows if str(name).startswith("t_")]
    if labels:
        p, is_there = (rows[[prefix + name for name in labels]].to_numpy(float) for prefix in ("p_", "t_"))
        return [float(value) for value in (p * is_there + (1 - p) * (1 - is_there)).mean(axis=1)]
    return [float(row[f"p_{row['class_name']}"]) for row in rows.to_dict("records")]


def show_same_images(store: Store, chosen: Sequence[Run]) -> None:
    """One row an image, one column a run; the images first on which the runs differ most."""
    st.subheader("The same image in each run", anchor=False)
    tables = [results.predictions(store, run) for run in chosen]
    classes = [set(run.experiment.task.classes) for run in chosen]
    found = shared_images(tables) if all(one == classes[0] for one in classes) else pd.DataFrame()
    if found.empty:
        st.info("No image was tested in all of these runs, or their classes differ.", icon=":material/info:")
        return
    st.text(f"{count(len(found), 'image')}, those first on which the runs differ most. Columns are the runs.")
    pages = min(20, ceil(len(found) / _ROWS))
    page = min(int(st.session_state.get("row", 1)), pages)
    indexed = [table.drop_duplicates(_IMAGE).set_index(_IMAGE, drop=False) for table in tables]
    for place in found.index[(page - 1) * _ROWS : page * _ROWS]:
        _show_row(store, chosen, [table.loc[place] for table in indexed])
    if pages > 1:
        st.pagination(pages, key="row", bind="query-params")


def _show_row(store: Store, chosen: Sequence[Run], rows: "Sequence[pd.Series[Any]]") -> None:
    with st.container(border=True):
        st.text(
            f"{literal(rows[0]['image_id'])} · {literal(rows[0]['source'])} · "
            f"truth {literal(rows[0]['class_name'], 60)}"
        )
        with st.grid(min(6, len(chosen) + 1), min_column_width=150, gap="small") as grid:
            with grid.cell():
                original = original_of(store, chosen[0], rows[0])
                st.image(original, width="stretch", output_format="PNG", alt=alt_of(rows[0], "Radiograph"))
                st.text("Radiograph")
            for run, row, name in zip(chosen, rows, names_of(chosen), strict=True):
                with grid.cell():
                    _show_answer(store, run, row, name)


def _show_answer(store: Store, run: Run, row: "pd.Series[Any]", name: str) -> None:
    drawn = overlay_of(store, run, row)
    st.image(drawn, width="stretch", output_format="PNG", alt=alt_of(row, f"Heat map of {name}"))
    is_right = row["predicted"] == row["class_name"]
    badge = ":green-badge[:material/check: " if is_right else ":red-badge[:material/close: "
    p = row.get(f"p_{row['predicted']}")
    st.markdown(f"{badge}{md_escape(row['predicted'], 60)}{'' if p is None else ' ' + share(float(p))}]")
    st.text(name if pd.isna(row["outside_lungs"]) else f"{name}\n{share(row['outside_lungs'])} outside the lungs")
