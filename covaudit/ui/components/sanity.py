"""Whether a way of drawing heat maps says anything of a run's network: badges, and the test with shuffled labels."""

from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.explanation import METHOD_CARDS
from covaudit.domain.run import Run
from covaudit.jobs import errands
from covaudit.jobs.errands import sanity_of
from covaudit.store import Store, results
from covaudit.ui.components.frame import chip
from covaudit.ui.components.source_health import watch
from covaudit.ui.text import DASH, score, share

_CHECK = "sanity"


def outcomes(store: Store, run: Run) -> dict[str, dict[str, Any]]:
    """By method: `cascade` and `twin`, `audit.sanity.Judged` in plain values or None, and `refused`, words or None."""
    found: dict[str, dict[str, Any]] = {}
    for finding in results.findings(store, run.id):
        if finding.check == _CHECK:
            for method, judged in finding.evidence.items():
                found[method] = {"cascade": judged | {"passes": not judged["fails"]}, "twin": None, "refused": None}
    later: dict[str, dict[str, Any]] = results.sanity(store, run).get("methods", {})
    return found | later


def badge(found: dict[str, dict[str, Any]], method: str) -> str:
    """How a method did, as a badge in Markdown."""
    one = found.get(method, {})
    parts = [part for part in (one.get("cascade"), one.get("twin")) if part]
    if _fails(one):
        return chip("Fails the sanity check: no evidence on this network", ":material/warning:", "orange")
    if parts and all(part["passes"] for part in parts):
        return chip("Passes the sanity check", ":material/check_circle:", "green")
    return chip("Not sanity-checked on this network", ":material/help:", "gray")


def warn_if_blind(store: Store, run: Run) -> None:
    """Above maps that are no evidence."""
    method = run.experiment.explanation.method
    if not _fails(outcomes(store, run).get(method, {})):
        return
    judged = [found for found in results.findings(store, run.id) if found.check == _CHECK]
    known = any(found.evidence.get(method, {}).get("fails") for found in judged)
    verdict = "the verdict leaves them out" if known else "the verdict was written before this was found"
    st.warning(
        f"{METHOD_CARDS[method].title} fails the sanity check on this network: its maps hardly depend on what was "
        f"learnt. They are no evidence; {verdict}.",
        icon=":material/warning:",
    )


def _fails(one: dict[str, Any]) -> bool:
    return any(part["fails"] for part in (one.get("cascade"), one.get("twin")) if part)


def show_gate(store: Store, run: Run) -> None:
    """What is known of every method on this network, and the way to know more."""
    found = outcomes(store, run)
    with st.expander("Do the maps depend on what the network learnt?", icon=":material/rule:"):
        st.markdown(
            "A map that stays as it is when the network forgets, or is trained on shuffled labels, would be drawn of "
            "any network and is no evidence (Adebayo et al. 2018). Numbers are rank correlations with the run's own "
            "maps, with 95 % intervals: 1 is the same map; an interval above 0.6 fails."
        )
        if found:
            st.dataframe(_table(found), hide_index=True, alt="Outcome of the sanity check by method")
        _show_twin(results.sanity(store, run).get("twin"))
        if run.experiment.n_folds > 1:
            st.text("A run of several folds has several networks; the shuffled-label test is for runs with one.")
            return
        errand = sanity_of(run.id)
        if errands.watch(store, errand) is not None:
            watch(store, errand, "Training a twin on shuffled labels, then drawing its maps")
        elif st.button("Test all methods with shuffled labels", icon=":material/shuffle:", key="sanity_start"):
            errands.start(store, errand)
            st.rerun()
        else:
            st.text("The test trains the network once more, for at most 5 epochs, in the background.")


def _table(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    ordered = [name for name in METHOD_CARDS if name in found]
    return pd.DataFrame(
        {
            "Method": [METHOD_CARDS[name].title for name in ordered],
            "After forgetting": [_likeness(found[name]["cascade"]) for name in ordered],
            "Of the twin": [_likeness(found[name]["twin"]) for name in ordered],
            "Outcome": [_outcome(found[name]) for name in ordered],
        }
    )


def _likeness(part: dict[str, Any] | None) -> str:
    if part is None or part["value"] is None:
        return DASH
    return f"{score(part['value'])} [{score(part['low'])}, {score(part['high'])}], n = {part['n']}"


def _outcome(one: dict[str, Any]) -> str:
    if one["refused"]:
        return str(one["refused"])
    parts = [part for part in (one["cascade"], one["twin"]) if part]
    if _fails(one):
        return "fails"
    return "passes" if all(part["passes"] for part in parts) else "too few maps that are not empty"


def _show_twin(twin: dict[str, Any] | None) -> None:
    if twin:
        known = share(twin["accuracy_on_shuffled_labels"])
        st.text(f"The twin, trained for {twin['epochs']} epochs, knows {known} of {twin['n']} shuffled labels.")
