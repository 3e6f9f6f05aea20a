"""Where a composed experiment comes from (preset, run, YAML) and where it goes (YAML, the queue)."""

from collections import Counter

import streamlit as st

from covaudit.domain.change import with_values
from covaudit.domain.experiment import Experiment
from covaudit.errors import CovauditError, NoWeights
from covaudit.jobs import submit, timing
from covaudit.jobs.plan import plan
from covaudit.store import Store, runs
from covaudit.ui import draft, state
from covaudit.ui.components.exports import download
from covaudit.ui.components.plan import show_plan
from covaudit.ui.draft import Draft
from covaudit.ui.errors import show_error, shown_errors
from covaudit.ui.text import count, duration_range, md_escape


def take_over(store: Store) -> None:
    """Start from the run that the address names (`?copy=`), once."""
    asked = st.query_params.get(state.COPY)
    if asked is None:
        return
    del st.query_params[state.COPY]
    with shown_errors():
        run = runs.get(store, asked)
        draft.start_from(Draft.of(run.experiment))
        st.toast(f"Copied from {md_escape(run.name)}. Change what you like.", icon=":material/content_copy:")


def show_start(store: Store, now: Draft) -> None:
    """What is wrong with the draft, or the button that queues it."""
    try:
        experiment = now.to_experiment()
        show_plan(store, experiment)
        submit.check(store, experiment)
    except CovauditError as error:
        show_error(error)
        if isinstance(error, NoWeights):
            _offer_random_weights(now)
        st.button("Start", type="primary", icon=":material/play_arrow:", disabled=True, key="start")
        return
    if not experiment.test:
        st.info("Without an external test nothing can be said about sources that the network has not seen.")
    st.markdown(cost_words(store, experiment))
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="start"):
        with shown_errors():
            submitted = submit.submit(store, experiment)
            if not submitted.created:
                st.toast("This experiment has a run already; here it is.", icon=":material/info:")
            st.switch_page("pages/jobs.py", query_params={state.RUN: submitted.run_id})


def _offer_random_weights(now: Draft) -> None:
    """One click in the place of weights that cannot be had; the name of the run then says so."""

    def take() -> None:
        changed = with_values(now.to_experiment(), ["training.pretrained=none"])
        draft.change({"training": changed.training, "name": changed.name})

    st.button("Start from random weights instead", icon=":material/casino:", key="random_weights", on_click=take)


def cost_words(store: Store, experiment: Experiment) -> str:
    """What the run would take, from the last one of its network and image size on this machine."""
    by_split = Counter[str]()
    for (split, _), n in plan(store, experiment).counts.items():
        by_split[split] += n
    cost = timing.expected(store, experiment, by_split.total(), by_split["external"] + by_split["internal"])
    used = f"{count(by_split.total(), 'image')}, {count(experiment.training.epochs * experiment.n_folds, 'epoch')}"
    if cost is None:
        return f"{used}. How long that takes is known once a run of this network and image size is done here."
    space = f"{max(1, round(cost.bytes / 1e6)):,} MB"
    return f"{used}: about {duration_range(*cost.time)} and {space}, going by the last such run here."


def show_yaml(now: Draft) -> None:
    """The draft as YAML to keep, and YAML to start from."""
    with st.expander("YAML: keep this experiment, or bring one", icon=":material/code:"):
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown("**This experiment**")
            try:
                experiment = now.to_experiment()
            except CovauditError:
                st.text("It can be written down once it is complete.")
            else:
                st.code(experiment.to_yaml(), language="yaml", height=320)
                download("Download", experiment.to_yaml().encode(), f"{experiment.id}.yaml", "text/yaml")
        with right:
            st.markdown("**Bring one**")
            text = st.text_area("Paste YAML", key=draft.key("yaml"), height=200)
            file = st.file_uploader("Or a file", type=["yaml", "yml"], key=draft.key("yaml_file"), max_upload_size=1)
            if st.button("Use it", icon=":material/input:", key="use_yaml"):
                _use(text or (file.getvalue().decode("utf-8", errors="replace") if file else ""))


def _use(text: str) -> None:
    if not text.strip():
        show_error("There is no YAML to use. Paste some, or choose a file.")
        return
    with shown_errors():
        draft.start_from(Draft.of(Experiment.from_yaml(text)))
        st.rerun()
