"""The network beside what answers without having learnt the disease."""

from collections.abc import Sequence

import streamlit as st

from covaudit.domain.estimate import Estimate
from covaudit.figures.text import METRICS, SPLITS
from covaudit.reports.baselines import frame, metric_of, words
from covaudit.reports.tables import TESTS


def show_baselines(estimates: Sequence[Estimate]) -> None:
    """The section of the Results page."""
    st.subheader("Beside baselines", anchor=False)
    table = frame(estimates)
    if table.empty:
        st.text("This run was measured before baselines were: retry it to have them.")
        return
    for split in TESTS:
        for said in words(estimates, split):
            icon = ":material/warning:" if said.is_alarm else ":material/check:"
            (st.warning if said.is_alarm else st.success)(f"{SPLITS[split]}: {said.text}", icon=icon)
    st.text(
        f"{METRICS[metric_of(estimates)]}. A baseline learns from the training images, none of them sees the lungs."
    )
    st.dataframe(table, hide_index=True, alt="Network and baselines on both tests, and the network's lead over each")
