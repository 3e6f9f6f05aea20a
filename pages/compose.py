"""Ask a question: which classes from which sources, tested on which, with which network."""

import streamlit as st

from covaudit.ui import draft, state
from covaudit.ui.components import compose_form, compose_start, presets, split_form
from covaudit.ui.components.frame import title
from covaudit.ui.components.mixture_editor import edit_mixture
from covaudit.ui.draft import Draft

store = state.enter_page()
title("Compose", "Draw each class from the sources of your choice, train on one mixture, and test on another.")
compose_start.take_over(store)
draft.resume()
presets.pick_start(store)

base = draft.base()
name, task, notes = compose_form.edit_question(base)
tables = state.index_tables(store)
st.subheader("Mixtures", anchor=False)
train = edit_mixture("train", base.train, task, tables)
test = edit_mixture("test", base.test, task, tables)
sampling = split_form.edit_sampling(base, task, train.sources())
network, training = compose_form.edit_training(base, train.sources())
split, seed = split_form.edit_split(base)
acknowledged = split_form.edit_acknowledgement(base)
explanation = compose_form.edit_explanation(base)

now = Draft(name, task, train, test, split, network, training, explanation, seed, notes, acknowledged, sampling)
draft.keep(now)
compose_start.show_start(store, now)
compose_start.show_yaml(now)
