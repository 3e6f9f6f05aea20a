"""The sections of the Overview: the demo's story, from training to the overlay that lights up the marker."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.presets import DEMO, PRESETS
from covaudit.domain.run import Run, RunState
from covaudit.errors import MissingArtifact
from covaudit.figures.compare import compare_info, plot_compare
from covaudit.jobs import demo as jobs_demo
from covaudit.jobs import timing
from covaudit.reports.tables import HEADLINE, find
from covaudit.store import Store, results, runs
from covaudit.ui.components import scores
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.findings import finding_card, split_verdict
from covaudit.ui.components.images import alt_of, original_of, overlay_of
from covaudit.ui.components.links import link_comparison, link_run
from covaudit.ui.components.progress import stage_words, time_left
from covaudit.ui.components.runs import active_runs, state_chip, state_word
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import DASH, ago, interval, literal, md_escape, share

ImageId = tuple[str, str]  # source and image id

REFRESH_S = 2
_TITLES = {
    DEMO[0]: ("Single", "Each class comes from its own source. The marker on the film gives the class away."),
    DEMO[1]: ("Balanced", "Each class comes from all sources alike. Only the lungs give the class away."),
}


def show_nothing(store: Store) -> None:
    """The workspace is empty: one button that fills it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.text("No runs yet. The demo trains two small networks on made-up radiographs, in about two minutes.")
        if st.button("Run the demo", type="primary", icon=":material/play_arrow:", key="run_demo"):
            with shown_errors():
                jobs_demo.queue(store)
                st.rerun()
        st.space("small")


def show_demo(store: Store, demo: Sequence[Run]) -> None:
    """Progress while the demo trains, its story when it is done."""
    st.subheader("The demo: one question, two mixtures", anchor=False)
    is_live = bool(active_runs(demo))

    @st.fragment(run_every=REFRESH_S if is_live else None)
    def live() -> None:
        now = [run for run in runs.listing(store) if run.demo]
        if is_live and len(active_runs(now)) < len(active_runs(demo)):
            st.rerun()
        for run in reversed(active_runs(now)):
            _show_progress(store, run)

    live()
    pair = _pair(demo)
    done = {name: run for name, run in pair.items() if run.state is RunState.DONE}
    example = _pick_example(store, done)
    for box, (name, run) in zip(st.columns(max(1, len(pair)), gap="medium"), pair.items(), strict=False):
        with box, st.container(border=True, height="stretch"):
            _show_chapter(store, name, run, example)
    if example is not None and len(done) > 1:
        st.text("Both cards show the same image, chosen for the heat on the marker and for what the answer costs.")
    if len(done) == len(DEMO):
        _show_lesson(store, done)
    _show_remove(store, demo)


def _pair(demo: Sequence[Run]) -> dict[str, Run]:
    """The demo's runs by preset, Single first; a demo run of another version of the presets keeps its own place."""
    ids = {experiment.id: name for name, experiment in PRESETS.items() if name in DEMO}
    named = {ids.get(run.id, run.id): run for run in reversed(demo)}
    return dict(sorted(named.items(), key=lambda item: DEMO.index(item[0]) if item[0] in DEMO else len(DEMO)))


def _show_progress(store: Store, run: Run) -> None:
    left = time_left(store, run)
    words = f"{md_escape(run.name)}: {md_escape(stage_words(run))}"
    st.progress(timing.share_done(store, run), text=words + (f" · {left} left" if left != DASH else ""))


def _show_chapter(store: Store, name: str, run: Run, example: ImageId | None) -> None:
    title, sentence = _TITLES.get(name, (run.name, run.experiment.notes))
    st.markdown(f"**{md_escape(title)}**  \n{md_escape(sentence, 300)}")
    if run.state is not RunState.DONE:
        st.markdown(state_chip(run))
        if run.reason:
            st.text(literal(run.reason, 400))
        link_run(run.id, "job")
        return
    _show_numbers(store, run)
    with shown_errors():
        if example is not None:
            _show_example(store, run, example)
    found = results.findings(store, run.id)
    if found:
        verdict, others = split_verdict(found)
        finding_card(verdict or others[0], with_evidence=False)
    link_run(run.id, "results", "findings", "heat maps")


def _show_numbers(store: Store, run: Run) -> None:
    estimates = results.estimates(store, run.id)
    st.text("Balanced accuracy")
    labels = {"internal": "On its own mixture", "external": "On a source it has not seen"}
    for split, box in zip(labels, st.columns(2, gap="small"), strict=True):
        found = find(estimates, split, HEADLINE)
        with box:
            scores.show_number(labels[split], found)


def _pick_example(store: Store, done: Mapping[str, Run]) -> ImageId | None:
    """An image that all finished demo runs tested; None where a file is missing, which the cards then say."""
    try:
        return example_image([results.predictions(store, run) for run in done.values()])
    except MissingArtifact:
        return None


def example_image(tables: Sequence[pd.DataFrame]) -> ImageId | None:
    """The image, tested in every run, on which the first run looks at the marker most, and more than the others.

    One that the first run gets wrong and the others right is preferred: it shows what the shortcut costs.
    """
    if not tables:
        return None
    tested = [table[table["heatmap_row"] >= 0].set_index(["source", "image_id"]) for table in tables]
    by = "on_markers" if tested[0]["on_markers"].notna().any() else "outside_lungs"
    heat = pd.concat([table[by] for table in tested], axis=1, join="inner", keys=range(len(tested)))
    lead = heat[0] - (heat.drop(columns=0).mean(axis=1) if len(tested) > 1 else 0)
    right = [table["predicted"] == table["class_name"] for table in tested]
    costly = pd.concat([~right[0], *right[1:]], axis=1, join="inner").all(axis=1)
    lead = lead[costly] if len(tested) > 1 and lead[costly].notna().any() else lead
    if lead.isna().all():
        return None
    source, image_id = lead.idxmax()
    return str(source), str(image_id)


def _show_example(store: Store, run: Run, example: ImageId) -> None:
    table = results.predictions(store, run)
    row = table[(table["source"] == example[0]) & (table["image_id"] == example[1])].iloc[0]
    left, right = st.columns(2, gap="small")
    seen, drawn = original_of(store, run, row), overlay_of(store, run, row)
    left.image(seen, width="stretch", output_format="PNG", alt=alt_of(row, "Radiograph"))
    right.image(drawn, width="stretch", output_format="PNG", alt=alt_of(row, "Heat map"))
    is_right = row["predicted"] == row["class_name"]
    st.text(
        f"Truth {row['class_name']}, predicted {row['predicted']} ({'right' if is_right else 'wrong'}): "
        f"{share(row['outside_lungs'])} of the heat outside the lungs, {share(row['on_markers'])} on the marker."
    )


def _show_lesson(store: Store, done: dict[str, Run]) -> None:
    named = {_TITLES[name][0]: results.estimates(store, run.id) for name, run in done.items() if name in _TITLES}
    st.markdown("**The gap in one picture**: what each network loses on a source that it has not seen.")
    figure = plot_compare(compare_info(named))
    show_chart(figure, key="story", alt="Balanced accuracy of both runs on both tests, and the gap, with intervals")
    link_comparison([run.id for run in done.values()], "Compare the two runs")


def _show_remove(store: Store, demo: Sequence[Run]) -> None:
    with st.popover("Remove the demo", icon=":material/delete:"):
        st.text("Both runs, their results and heat maps go to the trash. You can run the demo again at any time.")
        if st.button("Remove the demo", type="primary", key="remove_demo"):
            with shown_errors():
                if jobs_demo.remove(store, demo):
                    st.toast("A demo run is stopping; remove it in a moment.", icon=":material/hourglass:")
                st.rerun()


def show_latest(store: Store, found: Sequence[Run]) -> None:
    """The newest runs with their headline number."""
    if not found:
        return
    st.subheader("Latest runs", anchor=False)
    frame = pd.DataFrame([_latest_row(store, run) for run in found[:10]])
    st.dataframe(frame, hide_index=True, alt="Latest runs with their balanced accuracy")
    st.page_link("pages/jobs.py", label="All jobs", icon=":material/pending_actions:")


def _latest_row(store: Store, run: Run) -> dict[str, str]:
    estimates = results.estimates(store, run.id) if run.state is RunState.DONE else []
    cells = {split: interval(find(estimates, split, HEADLINE)) for split in ("internal", "external", "gap")}
    return {
        "State": state_word(run),
        "Run": literal(run.name),
        "Balanced accuracy, internal": cells["internal"],
        "External": cells["external"],
        "Gap": cells["gap"],
        "Created": ago(run.created),
        "Id": run.id,
    }
