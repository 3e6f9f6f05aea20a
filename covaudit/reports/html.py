"""A run as one HTML file: no script, nothing fetched, every text of a person escaped."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from covaudit import INTENDED_USE, __version__
from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import VERDICT
from covaudit.domain.run import Run, RunState
from covaudit.domain.source import SourceCard
from covaudit.errors import CovauditError, MissingArtifact
from covaudit.figures.confusion import confusion_info
from covaudit.figures.forest import Row, forest_info, with_axis
from covaudit.figures.gap import gap_info
from covaudit.figures.label_sets import axis_names
from covaudit.figures.text import METRICS, SPLITS, share
from covaudit.reports import asked, baselines, limits, provenance, tables
from covaudit.reports.evidence import SEVERITIES, evidence_rows
from covaudit.reports.examples import Examples, choose_examples
from covaudit.reports.folds import FOLD_NOTE, fold_table
from covaudit.reports.forest import WIDTH, Drawing, draw_forest
from covaudit.reports.metrics import metric_table
from covaudit.reports.table import Table, of_frame
from covaudit.reports.text import class_title, literal, score
from covaudit.reports.words import design_effect_words, gap_words
from covaudit.store import Store, artifacts, results, runs
from covaudit.store import sources as source_table

_INTERVAL = re.compile(r"\[[^\[\]]{1,30}\]")
_MEASURED = ("internal", "external", "gap", "val")


def render(store: Store, run_id: str, with_images: bool = True) -> str:
    """The report. A run that is not done says how far it is and what it was asked.

    `with_images` False leaves out the radiographs of the run's test. Raises `UnknownName` for a run that is not there.
    """
    run = runs.get(store, run_id)
    summary = results.summary(store, run.id)
    page = {
        "intended_use": INTENDED_USE, "version": __version__, "made": datetime.now(UTC), "run": run,
        "is_done": run.state is RunState.DONE, "asked": asked.facts(run.experiment, summary),
        "mixture": asked.mixture(run.experiment, summary), "mixture_note": asked.mixture_note(run.experiment),
        "sources": asked.sources(_cards(store, run)),
        "yaml": run.experiment.to_yaml(), "provenance": provenance.facts(run, summary), "width": WIDTH,
    }  # fmt: skip
    if run.state is RunState.DONE:
        page |= _found(store, run, summary) | {"examples": _examples(store, run) if with_images else None}
    else:
        page["epochs"] = runs.epochs(store, run.id)
    return _template().render(page)


def _found(store: Store, run: Run, summary: dict[str, Any]) -> dict[str, Any]:
    """What a run that is done has to say."""
    estimates, findings = results.estimates(store, run.id), results.findings(store, run.id)
    classes = run.experiment.task.classes
    tests = [split for split in tables.TESTS if tables.has_images(estimates, split)]
    return {
        "verdict": next((one for one in findings if one.check == VERDICT), None),
        "findings": [(one, evidence_rows(one.evidence)) for one in findings if one.check != VERDICT],
        "headline": [(SPLITS[split], tables.find(estimates, split, tables.HEADLINE)) for split in _MEASURED[:3]],
        "gap_words": gap_words(estimates),
        "gap": _gap(estimates),
        "fold_words": limits.fold_words(run.experiment),
        "folds": fold_table(run.experiment, estimates) if run.experiment.n_folds > 1 else None,
        "metrics": [metric_table(estimates, split) for split in _measured(estimates)],
        "by_class": [_by_class(estimates, split, classes) for split in tests],
        "averages": [
            of_frame(f"{SPLITS[split]}: averages over the classes", tables.averages_frame(estimates, split))
            for split in tests
        ],
        "design": [words for split in tables.TESTS for words in design_effect_words(estimates, split)],
        "sensitivity": _sensitivity(estimates),
        "by_source": of_frame("By source", tables.source_frame(estimates, classes)),
        "by_group": of_frame("By sex, age and view", tables.group_frame(estimates, classes)),
        "thresholds": _thresholds(estimates),
        "undefined": tables.reasons(estimates),
        "confusions": [_matrix(one) for one in results.confusions(store, run.id) if one.split in tables.TESTS],
        "baseline_words": [(SPLITS[s], said) for s in tables.TESTS for said in baselines.words(estimates, s)],
        "baselines": of_frame(METRICS[baselines.metric_of(estimates)], baselines.frame(estimates)),
        "limits": list(limits.limits(run.experiment, estimates, summary)),
        "source_hashes": _source_hashes(store, run),
        "file_hashes": provenance.file_hashes(artifacts.hashes(store, run)),
    }


def _measured(estimates: Sequence[Estimate]) -> list[str]:
    """The splits that metrics are told of: a test without images has none, and no gap."""
    there = {split for split in ("internal", "external", "val") if tables.has_images(estimates, split)}
    return [split for split in _MEASURED if split in there or (split == "gap" and there >= {"internal", "external"})]


def _by_class(estimates: Sequence[Estimate], split: str, classes: Sequence[str]) -> Table:
    return of_frame(f"{SPLITS[split]}: by class", tables.class_frame(estimates, split, classes))


def _gap(estimates: Sequence[Estimate]) -> Drawing:
    rows = tuple(Row(METRICS[row.metric], (row.internal, row.external)) for row in gap_info(estimates).rows)
    return draw_forest(with_axis((SPLITS["internal"], SPLITS["external"]), rows))


def _sensitivity(estimates: Sequence[Estimate]) -> Drawing:
    wanted = [
        one
        for one in estimates
        if one.metric == "sensitivity" and one.split in tables.TESTS and one.narrowed_by == ("class_name",)
    ]
    return draw_forest(forest_info(wanted))


def _thresholds(estimates: Sequence[Estimate]) -> list[Table]:
    names = [one.class_name for one in estimates if one.metric == "threshold_youden" and one.class_name]
    return [of_frame(f"{class_title(name)} against the rest", tables.locked_frame(estimates, name)) for name in names]


def _matrix(confusion: Confusion) -> dict[str, Any]:
    """A confusion matrix with the names of its columns, short for label sets, and the line that explains them."""
    names = axis_names(confusion.classes, limit=60)
    return {
        "title": SPLITS[confusion.split], "info": confusion_info(confusion),
        "columns": [unescape(name) for name in names.ticks], "key": unescape(names.key),  # figures write names as HTML
    }  # fmt: skip


def _examples(store: Store, run: Run) -> Examples:
    try:
        return choose_examples(store, run)
    except MissingArtifact as error:
        return Examples(str(error), [])


def _source_hashes(store: Store, run: Run) -> Table | None:
    try:
        return provenance.source_hashes(results.samples(store, run))
    except MissingArtifact:
        return None


def _cards(store: Store, run: Run) -> list[SourceCard]:
    """The cards of the sources that are still known here."""
    from covaudit.sources.catalog import card_of  # the readers of all collections

    cards = []
    for name in dict.fromkeys((*run.experiment.train.sources(), *run.experiment.test.sources())):
        try:
            cards.append(card_of(source_table.get(store, name)))
        except CovauditError:
            continue
    return cards


# -- the page ---------------------------------------------------------------------------------------------------------


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, finalize=_spelled,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"score": score, "share": share, "literal": literal, "bold": _bold, "held": _held}
    environment.globals |= {"severities": SEVERITIES, "fold_note": FOLD_NOTE}
    return environment.get_template("report.html")


def _spelled(value: Any) -> Any:
    """Control, bidirectional and invisible characters of any text are spelled out; lines stay lines."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in value)


def _bold(text: str) -> Markup:
    """Our own sentences, in which **two stars** stand for bold, as the pages write them."""
    parts = str(escape(_spelled(text))).split("**")
    return Markup("".join(f"<strong>{part}</strong>" if place % 2 else part for place, part in enumerate(parts)))


def _held(text: str) -> Markup:
    """Intervals in one piece: no line ends between [ and ]."""
    return Markup(_INTERVAL.sub(r'<span class="held">\g<0></span>', str(escape(_spelled(text)))))
