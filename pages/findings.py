"""What the audit says of one run, the gravest first."""

import streamlit as st

from covaudit.store import results
from covaudit.ui import state
from covaudit.ui.components.findings import explain_severities, finding_card, severity_counts
from covaudit.ui.components.frame import title
from covaudit.ui.components.links import link_run
from covaudit.ui.components.runs import pick_run

store = state.enter_page()
title("Findings", "What the audit looked for in one run, what it found, and the numbers behind each statement.")
run = pick_run(store)
if run is None:
    st.stop()

findings = results.findings(store, run.id)
if not findings:
    st.info("The audit of this run made no statement: none of its checks applied.", icon=":material/info:")
else:
    st.markdown(severity_counts(findings))
for finding in findings:
    finding_card(finding)
with st.expander("What the severities mean", icon=":material/help:"):
    explain_severities()
    st.text("A finding is evidence, not proof; a check that is clear says only what it was able to see.")
link_run(run.id, "heat maps", "results")
