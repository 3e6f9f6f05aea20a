"""Each other run against the first, on the images that both were tested on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from covaudit.domain.run import Run
from covaudit.errors import CovauditError
from covaudit.figures.matrix_difference import plot_matrix_difference
from covaudit.figures.text import METRICS, SPLITS
from covaudit.reports.fold_tests import are_alike, compare_folds, difference_words
from covaudit.store import Store, results
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.images import run_key
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import TOO_FEW, count, interval, literal, md_escape, score

if TYPE_CHECKING:
    from covaudit.metrics.paired import Paired


def show_paired(store: Store, chosen: Sequence[Run], names: Sequence[str]) -> None:
    """The section of the Compare page; p values are Holm's over all the tests that it shows."""
    st.subheader("On the same images", anchor=False)
    found: list[Paired | CovauditError | None] = []
    for run in chosen[1:]:
        found.append(None)
        with shown_errors():
            try:
                found[-1] = _paired(store, chosen[0], run, run_key(store, chosen[0]), run_key(store, run))
            except CovauditError as error:
                found[-1] = error
    adjusted = iter(_adjusted([one for one in found if one is not None and not isinstance(one, CovauditError)]))
    for run, name, one in zip(chosen[1:], names[1:], found, strict=True):
        with st.container(border=True):
            st.markdown(f"**{md_escape(name)}** against **{md_escape(names[0])}**")
            if isinstance(one, CovauditError):
                st.info(md_escape(one, 600), icon=":material/info:")
            elif one is not None:
                _show_pair(one, next(adjusted), names[0], name, run.id)
            _show_folds(store, chosen[0], run)


@st.cache_data(max_entries=100, show_spinner="Comparing image by image …")
def _paired(_store: Store, _first: Run, _second: Run, first_key: str, second_key: str) -> "Paired":
    from covaudit.metrics.paired import compare_pair  # SciPy and statsmodels: 1.5 s

    classes = _first.experiment.task.classes
    if set(classes) != set(_second.experiment.task.classes):
        raise CovauditError("These runs tell different classes apart: a paired test needs the same task.")
    tables = [results.predictions(_store, run) for run in (_first, _second)]
    return compare_pair(tables[0], tables[1], classes, seed=0)


def _adjusted(found: "Sequence[Paired]") -> list[tuple[float, float]]:
    """Holm's p of McNemar's and DeLong's test of each pair, over all of them."""
    from covaudit.metrics.family import holm

    p = holm([value for one in found for value in (one.p_value, one.auroc.p_value if one.auroc else float("nan"))])
    return list(zip(p[::2], p[1::2], strict=True))


def _show_pair(paired: "Paired", adjusted: tuple[float, float], first: str, second: str, key: str) -> None:
    from covaudit.metrics.family import p_words

    shared = f"{count(paired.n, 'shared test image')} of {count(paired.n_patients, 'patient')}"
    right = f"both right {paired.both_right:,}, only the first {paired.only_first:,}, only the second"
    st.text(f"{shared}: {right} {paired.only_second:,}, neither {paired.neither:,}.")
    if paired.n < TOO_FEW:
        st.text(f"Fewer than {TOO_FEW} images: too few to judge by.")
    mcnemar, delong = adjusted
    words = "more than chance" if mcnemar < 0.05 else "not to be told from chance"
    holm = f"after Holm {p_words(mcnemar)}"
    st.text(f"The difference in being right is {words} ({p_words(paired.p_value)}, {holm}, {paired.p_method}).")
    if paired.auroc:
        span = f"{score(paired.auroc.value)} [{score(paired.auroc.low)}, {score(paired.auroc.high)}]"
        tests = f"{p_words(paired.auroc.p_value)}, after Holm {p_words(delong)}, {paired.auroc.method}"
        st.text(f"AUROC, second minus first: {span} ({tests}).")
    if paired.detectable == paired.detectable:
        st.text(
            f"These images would show a difference of {score(paired.detectable)} in being right four times in five."
        )
    rows = [
        {
            "Metric": METRICS.get(one.metric, one.metric),
            first: score(paired.first[one.metric]),
            second: score(paired.second[one.metric]),
            "Second minus first": interval(one),
        }
        for one in paired.differences
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Metrics on the shared images and their difference")
    with st.expander("Where the answers moved", icon=":material/grid_on:"):
        st.text(
            "Confusion matrix of the second run minus that of the first, on the shared images. Blue: more of them in "
            "the second run, orange: fewer. Each cell is tested (exact McNemar, Holm over the cells); * p below 0.05."
        )
        alt = f"{literal(second)} minus {literal(first)}: images in each cell of truth and prediction"
        show_chart(plot_matrix_difference(paired.cells), key=f"difference_{key}", alt=alt)


# -- folds ------------------------------------------------------------------------------------------------------------


def _show_folds(store: Store, first: Run, second: Run) -> None:
    """The corrected resampled t-test of two runs that were cross-validated alike."""
    k = first.experiment.n_folds
    if k == 1 or second.experiment.n_folds == 1:
        return
    if not are_alike(first.experiment, second.experiment):
        st.text("No test over the folds: their images differ. It takes the same train mixture, split and seed.")
        return
    from covaudit.metrics.family import p_words

    tests = compare_folds(
        (first.experiment, second.experiment),
        (results.estimates(store, first.id), results.estimates(store, second.id)),
    )
    rows = [
        {
            "Metric": METRICS[one.metric],
            "Second minus first": difference_words(one),
            "p": p_words(one.p),
            "After Holm": p_words(one.p_holm),
        }
        for one in tests
    ]
    if rows:
        st.text(f"Over {k} folds, {SPLITS['internal'].lower()}: corrected resampled t-test (Nadeau and Bengio 2003).")
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Mean difference over the folds, corrected t-test")
