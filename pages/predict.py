"""One image, or several, put to the network of a finished run."""

import streamlit as st

from covaudit.ui import prediction, state
from covaudit.ui.components.frame import title
from covaudit.ui.components.runs import pick_run

store = state.enter_page()
title("Predict", "What the network of a run says of an image of yours, and which part of the image moves its score.")
st.info("Upload no image that could identify a person. Files are read in memory and not kept.", icon=":material/lock:")
run = pick_run(store)
if run is None:
    st.stop()

images = prediction.pick_images()
if not images:
    st.info("Upload an image or choose an example to see a prediction.", icon=":material/info:")
else:
    prediction.show_predictions(store, run, images)
