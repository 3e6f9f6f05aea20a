"""Health of sources on the page: start a check, watch it, and what the last one found."""

from collections.abc import Sequence

import streamlit as st

from covaudit.domain.source import Source
from covaudit.errors import BadImage
from covaudit.figures.fingerprint import kinds_info, plot_kinds, plot_spread, spread_info
from covaudit.figures.forest import Point, Row, plot_forest, with_axis
from covaudit.jobs import errands, scans
from covaudit.jobs.errands import Errand
from covaudit.sources.health.fingerprint import FACTS
from covaudit.sources.health.metadata import SEEN, title_of
from covaudit.sources.health.report import HealthReport, Image, Twins
from covaudit.store import Store
from covaudit.ui import state
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.exports import download, json_bytes
from covaudit.ui.components.findings import finding_card, severity_counts
from covaudit.ui.components.source_cards import thumbnail
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import count, literal, md_escape

_TWINS_SHOWN = 6


def show_health(store: Store, known: Sequence[Source]) -> None:
    """Which sources to check together, and the last report on them."""
    added = [source.name for source in known if source.path is not None]
    by_name = {source.name: source for source in known}
    names = st.multiselect(
        "Sources to set side by side",
        list(by_name),
        default=added or list(by_name),
        format_func=literal,
        key="health_sources",
        help="Those that you would draw a mixture from: most trouble lies between sources.",
    )
    if not names:
        st.info("Choose one source or more to check.", icon=":material/info:")
        return
    chosen = [by_name[name] for name in names]
    errand, report = scans.check_of(chosen), scans.last_report(store, chosen)
    if errands.watch(store, errand) is not None:
        watch(store, errand, "Looking at every image, comparing, asking what metadata tell")
    elif st.button(
        "Check again" if report else "Check these sources",
        type="secondary" if report else "primary",
        icon=":material/health_and_safety:",
    ):
        errands.start(store, errand)
        st.rerun()
    if report is not None:
        show_report(store, report, by_name)
    else:
        st.text(
            "The check opens every image once and remembers what it saw: unreadable files, pictures and patients that "
            "are there twice, labels that conflict, and whether file size or format alone tell label or source."
        )


def show_scan(store: Store, source: Source) -> None:
    """Of a source that has more new images than a page can wait for: look at them in the background."""
    errand = scans.scan_of(source)
    if source.path is None:
        return
    if errands.watch(store, errand) is not None:
        watch(store, errand, "Looking at every image")
        return
    with shown_errors():
        n_pending = state.source_index(store, source).n_pending
        if n_pending:
            st.warning(f"{count(n_pending, 'image')} of this source were not looked at yet.", icon=":material/pending:")
            if st.button("Look at them", type="primary", icon=":material/play_arrow:"):
                errands.start(store, errand)
                st.rerun()


@st.fragment(run_every=1.0)
def watch(store: Store, errand: Errand, what: str) -> None:
    """A bar that moves by itself, and a way to end the work; the page is drawn anew when it is over."""
    progress = errands.watch(store, errand)
    if progress is None:
        state.forget_indexes()
        st.rerun(scope="app")
        return
    done, total = progress
    words = f"{what}: {done:,} of {total:,}" if total else f"{what} …"
    st.progress(done / total if total else 0.0, text=words)
    if st.button("Cancel", icon=":material/cancel:", key=f"cancel_{errand.key}"):
        errands.cancel(store, errand)
        st.text("Ending. What was found so far is kept.")


def show_report(store: Store, report: HealthReport, by_name: dict[str, Source]) -> None:
    images = ", ".join(f"{literal(name)} {n:,}" for name, n in report.n_images.items())
    st.markdown(severity_counts(report.findings))
    st.text(f"Images checked: {images}.")
    _show_fingerprints(report)
    _show_predictable(report)
    _show_twins(store, report, by_name)
    st.subheader("All that was found", anchor=False)
    for finding in report.findings:
        finding_card(finding)
    download(
        "Report as JSON", json_bytes(report.model_dump(mode="json", by_alias=True)), "sources.json", "application/json"
    )


def _show_fingerprints(report: HealthReport) -> None:
    st.subheader("How each source took and stored its images", anchor=False)
    for one in report.fingerprints:
        if one.reasons:
            st.markdown(f"**{md_escape(one.source)}** is unlike the others: {md_escape('; '.join(one.reasons), 600)}.")
    prints = {one.source: one for one in report.fingerprints}
    ordered = [prints[name] for name in report.sources if name in prints]
    with st.grid(2, min_column_width=320, gap="medium") as grid:
        for name, fact in FACTS.items():
            with grid.cell():
                unit = f", {fact.unit}" if fact.unit else ""
                info = spread_info(f"{fact.title}{unit}", {one.source: one.spread.get(name, ()) for one in ordered})
                show_chart(plot_spread(info), f"spread_{name}", f"{fact.title} by source")
        with grid.cell():
            kinds = kinds_info({one.source: one.kinds for one in ordered})
            show_chart(plot_kinds(kinds), "kinds", "Kinds of files by source")
    st.text("A box is the middle half of a source's images, the dot their median; whiskers reach from 5 to 95 %.")


def _show_predictable(report: HealthReport) -> None:
    st.subheader("What metadata alone tell", anchor=False)
    st.markdown(
        f"AUROC of an answer that never saw a lung, only {SEEN}. 0.5 is chance. A network has to do better than this "
        "before its result says anything of a disease."
    )
    for metric, heading in (("label", "The label"), ("source", "The source")):
        told = [one for one in report.predictable if one.metric == metric]
        if told:
            rows = tuple(Row(literal(title_of(one), 60), (Point.of(one),)) for one in told)
            st.markdown(f"**{heading}**")
            show_chart(plot_forest(with_axis(("AUROC",), rows)), f"told_{metric}", f"{heading} told by metadata")


def _show_twins(store: Store, report: HealthReport, by_name: dict[str, Source]) -> None:
    if not report.twins:
        return
    st.subheader("Pictures that are there twice", anchor=False)
    shown = report.twins
    n_pages = -(-len(shown) // _TWINS_SHOWN)
    page = st.pagination(n_pages, key="twins_page") if n_pages > 1 else 1
    if report.n_twins > len(shown):
        st.text(f"The first {len(shown)} of {report.n_twins:,} pairs: two labels first, then two sources.")
    with st.grid(2, min_column_width=320, gap="medium") as grid:
        for pair in shown[(page - 1) * _TWINS_SHOWN : page * _TWINS_SHOWN]:
            with grid.cell(), st.container(border=True):
                _show_pair(store, pair, by_name)


def _show_pair(store: Store, pair: Twins, by_name: dict[str, Source]) -> None:
    left, right = st.columns(2)
    for place, image in ((left, pair.first), (right, pair.second)):
        with place:
            _show_image(store, image, by_name)
    how = "The same file" if pair.is_same_file else f"Likeness {pair.likeness:.2f}, {count(pair.bits, 'bit')} apart"
    st.text(f"{how}{' · two labels' if pair.has_two_labels else ''}")


def _show_image(store: Store, image: Image, by_name: dict[str, Source]) -> None:
    table = state.source_index(store, by_name[image.source]).table
    rows = table[table["image_id"] == image.image_id]
    if rows.empty:
        st.text("Not there any more.")
    else:
        try:
            picture = thumbnail(str(rows["path"].iloc[0]), str(rows["sha256"].iloc[0]))
            st.image(picture, width="stretch", output_format="PNG", alt=f"Image {literal(image.image_id)}")
        except BadImage as error:
            st.error(md_escape(error, 300))
    st.text(f"{literal(image.source, 30)} · {literal(image.label, 20)}\n{literal(image.image_id.split('/')[-1], 40)}")
