"""What the audit says of one run, the gravest first."""

import streamlit as st

from covaudit.store import results
from covaudit.ui import state
from covaudit.ui.components.findings import explain_severities, finding_card, severity_counts, split_verdict
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
verdict, others = split_verdict(findings)
if verdict is not None:
    st.subheader("Verdict", anchor=False)
    finding_card(verdict)
if others:
    st.subheader("What each check says", anchor=False)
    st.markdown(severity_counts(others))
for finding in others:
    finding_card(finding)
with st.expander("What the severities mean", icon=":material/help:"):
    explain_severities()
    st.text("A finding is evidence, not proof; a check that is clear says only what it was able to see.")
link_run(run.id, "heat maps", "results")
