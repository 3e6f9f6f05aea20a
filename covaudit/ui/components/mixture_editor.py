"""One mixture as an editable grid with its counts and what they mean for the audit."""

from collections.abc import Mapping
from math import isnan
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.labels import TITLES
from covaudit.domain.mixture import Confounding, Mixture, confounding
from covaudit.domain.task import Task
from covaudit.figures.source_grid import plot_source_grid, source_grid_info
from covaudit.ui import draft, state
from covaudit.ui.components.charts import show_chart
from covaudit.ui.errors import shown_errors
from covaudit.ui.mixture_grid import HAS, SOURCE, Cells, build_grid, read_grid, shortages
from covaudit.ui.text import confounding_words, count, literal, md_escape, score

_TITLES = {
    "train": ("Train mixture", "divided into train, validation and internal test as the split below says"),
    "test": ("External test mixture", "not trained on; take sources that the train mixture does not use"),
}


def edit_mixture(part: str, base: Mixture, task: Task, tables: Mapping[str, pd.DataFrame]) -> Mixture:
    """The grid of one mixture (`part` is train or test) with live counts; the mixture as it is now."""
    name, meaning = _TITLES[part]
    available = state.available_cells(task, tables)
    grid = build_grid(base, task, list(tables), available)
    with st.container(border=True):
        st.markdown(f"**{name}**: {meaning}")
        left, right = st.columns([3, 2], gap="medium")
        with left:
            edited = _edit(part, grid.frame, task)
            mixture = read_grid(edited, grid, task, available)
            for component in grid.spanning:
                limit = "all" if component.limit is None else f"at most {component.limit:,}"
                drawn = f"{literal(component.label)} from {literal(component.source)}"
                st.text(f"Also draws {drawn} ({limit}), which covers several classes.")
            for sentence in shortages(edited, task, available):
                st.warning(md_escape(sentence, 300), icon=":material/production_quantity_limits:")
        used = _count(mixture, task, tables)
        if used is not None:
            with right:
                _show_counts(part, used, task)
            with left:
                _show_confounding(part, used)
    return mixture


def _edit(part: str, frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    config: dict[str, Any] = {
        SOURCE: st.column_config.TextColumn(disabled=True),
        HAS: st.column_config.TextColumn("Images it has", disabled=True),
    }
    for name in task.label_sets:
        config[name] = st.column_config.NumberColumn(
            literal(name, 20), min_value=0, step=1, help=f"How many {TITLES.get(name, literal(name))} images to draw"
        )
    return st.data_editor(
        frame,
        key=draft.key(part),
        hide_index=True,
        placeholder="–",
        column_config=config,
        column_order=[SOURCE, *task.label_sets, HAS],
        alt=f"How many images of each class the {part} mixture draws from each source",
    )


def _count(mixture: Mixture, task: Task, tables: Mapping[str, pd.DataFrame]) -> Cells | None:
    with shown_errors():
        return state.used_cells(mixture, task, tables)
    return None


def _show_counts(part: str, used: Cells, task: Task) -> None:
    total = sum(used.values())
    if not total:
        st.text("Nothing is drawn yet. Write how many images to draw into the grid.")
        return
    per_class = " · ".join(
        f"{literal(name, 20)} {sum(n for (_, one), n in used.items() if one == name):,}" for name in task.label_sets
    )
    st.text(f"{count(total, 'image')}: {per_class}")
    figure = plot_source_grid(source_grid_info(used, task.label_sets))
    show_chart(figure, key=draft.key(f"{part}_grid"), alt=f"Images of the {part} mixture by source and class")


def _show_confounding(part: str, used: Cells) -> None:
    found = confounding(used)
    if not found.n:
        return
    sentences = confounding_sentences(part, found)
    if sentences:
        box = st.error if found.cramers_v > 0.8 else st.warning
        box("  \n".join(sentences), icon=":material/link:")
    elif isnan(found.cramers_v):
        is_one_class = len({name for (_, name), n in used.items() if n}) == 1
        words = "There is one class only."
        if not is_one_class:
            words = "All classes come from one source: the source gives none of them away."
        st.info(words, icon=":material/info:")
    else:
        words = confounding_words(found.cramers_v)
        st.success(
            f"{words} Cramér's V of class and source is {score(found.cramers_v)}.", icon=":material/check_circle:"
        )


def confounding_sentences(part: str, found: Confounding) -> list[str]:
    """What ties class and source together in a mixture, in Markdown; [] when it is little."""
    sentences = []
    if found.cramers_v > 0.2:
        words = confounding_words(found.cramers_v)
        sentences.append(
            f"**{words}** Cramér's V of class and source is {score(found.cramers_v)} (0 none, 1 complete)."
        )
    if found.single_source:
        by_class = [f"{md_escape(name, 20)} (only {md_escape(source)})" for name, source in found.single_source.items()]
        if len({*found.single_source.values()}) > 1 or found.cramers_v > 0.2:
            sentences.append(f"Classes from a single source: {', '.join(by_class)}.")
    if sentences and part == "train":
        sentences.append("A network can score high here by telling the sources apart.")
    elif sentences:
        sentences.append(
            "A network that tells the sources apart would pass this test too: it cannot show the shortcut."
        )
    return sentences
