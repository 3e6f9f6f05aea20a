"""The numbers of one run: the gap first, then each test, class and source, with intervals."""

import streamlit as st

from covaudit.reports.words import gap_words
from covaudit.store import results
from covaudit.ui import state
from covaudit.ui.components import baselines, measures, operating, outcome
from covaudit.ui.components.frame import title
from covaudit.ui.components.runs import pick_run
from covaudit.ui.components.scores import headline_metrics

store = state.enter_page()
title("Results", "How well one run tells the classes apart: on its own mixture, and on sources that it has not seen.")
run = pick_run(store)
if run is None:
    st.stop()

estimates = results.estimates(store, run.id)
outcome.show_links(run, results.findings(store, run.id))
st.subheader("Balanced accuracy, internal against external", anchor=False)
headline_metrics(estimates)
st.markdown(gap_words(estimates))
outcome.show_gap(estimates)
outcome.show_folds(run, estimates)
baselines.show_baselines(estimates)
outcome.show_classes(run, estimates)
operating.show_thresholds(store, run, estimates)
outcome.show_confusions(results.confusions(store, run.id), run.id)
outcome.show_roc(store, run, estimates)
measures.show_precision(store, run, estimates)
measures.show_calibration(store, run, estimates)
outcome.show_sources(run, estimates)
measures.show_groups(run, estimates)
outcome.show_curves(store, run)
outcome.show_used(store, run)
outcome.show_exports(store, run, estimates)
