"""The report of a run: one file that fetches nothing, whatever the names in it, and says what there is."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from covaudit.__main__ import app
from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.finding import VERDICT, AuditFinding, Severity
from covaudit.domain.presets import PRESETS
from covaudit.errors import CovauditError
from covaudit.figures.forest import Point, Row, with_axis
from covaudit.reports.folds import fold_table
from covaudit.reports.forest import WIDTH, draw_forest
from covaudit.reports.html import render
from covaudit.reports.limits import fold_words, limits
from covaudit.store import results, runs

SINGLE = PRESETS["demo-single"]
SCRIPT = '<script>alert(1)</script>"><img src=http://beacon.example/x.png>\u202eltr'


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", re.sub(r"<style>.*?</style>", "", html, flags=re.S)))


def read_tags(html: str) -> tuple[set[str], set[str]]:
    """The names of the tags and of the attributes that a browser would see."""
    tags, attributes = set(), set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: (tags.add(tag), attributes.update(name for name, _ in attrs))
    parser.feed(html)
    return tags, attributes


def finish(store, experiment, outcome) -> str:
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    attempt = runs.claim(store, experiment.id, "cpu")
    results.write_outcome(store, experiment.id, attempt, outcome, [])
    return experiment.id


@pytest.fixture
def hostile(filled):
    """A run that is done, with a script for every name that a person can give; its files are gone."""
    name = SCRIPT[:60]
    drawn = [{"source": SCRIPT[:80], "label": name}, {"source": "phantom-a", "label": "NOR"}]
    experiment = Experiment.from_plain(
        {"name": SCRIPT, "notes": SCRIPT, "acknowledged": SCRIPT, "train": drawn, "test": drawn,
         "task": {"name": "x<b>", "classes": ["NCV", name]}}
    )  # fmt: skip
    place = {"split": "external", "source": SCRIPT, "method": SCRIPT, "n": 12, "value": 0.5, "low": 0.2, "high": 0.8}
    return filled, finish(
        filled, experiment,
        results.Outcome(
            [Estimate(metric=metric, class_name=name, **place) for metric in ("accuracy", "sensitivity") for name in
             (None, SCRIPT[:60])] + [Estimate(metric="accuracy", **place | {"source": None})],
            [Confusion(split="external", classes=("NCV", SCRIPT), counts=((3, 4), (5, 6)))],
            [AuditFinding(check=check, severity=Severity.CRITICAL, title=SCRIPT, detail=SCRIPT,
                          evidence={SCRIPT: {SCRIPT: SCRIPT}}) for check in (VERDICT, SCRIPT)],
            {"counts": [{"split": "external", "source": SCRIPT, "class": SCRIPT, "n": 9}], "dropped": {SCRIPT: 3}},
        ),
    )  # fmt: skip


def test_no_name_becomes_markup_and_nothing_is_fetched(hostile):
    html = render(*hostile)
    assert "<script" not in html and "<img src=h" not in html and "\u202e" not in html
    tags, attributes = read_tags(html)
    assert not tags & {"script", "img", "link", "iframe", "object", "form", "base", "a"}
    assert not [name for name in attributes if name.startswith("on") or name in ("href", "src", "srcset")]
    assert text_of(html).count("<script>alert(1)</script>") > 12 and r"\u202eltr" in text_of(html)
    assert "default-src 'none'" in html and html.count("Research use only") == 2


def test_a_run_without_its_files_is_reported_without_its_pictures(hostile):
    html = render(*hostile)
    assert "data:image" not in html and "predictions.parquet" in html and "–" in html


def test_films_are_chosen_by_rule_and_can_be_left_out(filled):
    html = render(filled, SINGLE.id)
    assert html.count('src="data:image/png;base64,') == 12  # three of each test, film and heat map
    table = results.predictions(filled, runs.get(filled, SINGLE.id))
    tested = table[table["split"] == "external"].sort_values("outside_lungs")
    most, least = tested["image_id"].iloc[-1], tested["image_id"].iloc[0]
    assert most in text_of(html) and least in text_of(html)
    assert "data:image" not in render(filled, SINGLE.id, with_images=False)


def test_a_run_that_is_not_done_says_what_there_is(filled, made):
    said = text_of(render(filled, made.failed.id))
    assert "This run is failed: it has no results." in said and "lack of memory" in said
    assert "1 of at most 8 epochs" in said and "At most" not in said and "240" in said  # what was asked for
    assert "Balanced accuracy, internal" not in said


def test_the_command_writes_a_file_once(filled, tmp_path):
    target = tmp_path / "report.html"
    command = ["report", SINGLE.id[:6], "--out", str(target), "--no-images"]
    done, again = (CliRunner().invoke(app, command) for _ in range(2))
    assert done.exit_code == 0 and "Research use only" in done.stdout
    assert target.read_text().startswith("<!DOCTYPE html>") and "data:image" not in target.read_text()
    assert again.exit_code == 2 and "already" in again.output


def test_an_unknown_run_is_refused(filled):
    with pytest.raises(CovauditError):
        render(filled, "0123456789ab")


def test_folds_stand_beside_their_mean():
    experiment = SINGLE.model_copy(update={"split": SINGLE.split.model_copy(update={"folds": 3})})
    folds = [
        Estimate(split="internal", metric="accuracy", value=v, low=v - 0.1, high=1.0, n=20, fold=k)
        for k, v in enumerate((0.7, 0.8, 0.9))
    ]
    mean = Estimate(split="internal", metric="mean of folds: accuracy", value=0.8, low=0.55, high=1.0, n=60)
    spread = Estimate(split="internal", metric="sd over folds: accuracy", value=0.1, n=60)
    (row,) = fold_table(experiment, [*folds, mean, spread]).rows
    assert row.cells == (
        "Internal test", "Accuracy", "0.80 [0.55, 1.00]", "0.10", "0.70 [0.60, 1.00]", "0.80 [0.70, 1.00]",
        "0.90 [0.80, 1.00]",
    )  # fmt: skip
    said = " ".join(fold_words(experiment))
    assert "by all 3, has the mean of their probabilities" in said and "first fold's network" in said
    assert "pool 3 networks" in " ".join(limits(experiment, folds, {})) and not fold_words(SINGLE)


def test_the_limits_follow_from_what_was_done():
    alone = SINGLE.model_copy(update={"test": SINGLE.test.model_validate([])})
    few = Estimate.model_validate({"split": "internal", "metric": "sensitivity", "class": "CVP", "value": 1.0, "n": 12})
    tied = [{"split": "internal", "source": s, "class": c, "n": 9} for s, c in (("a", "NCV"), ("b", "CVP"))]
    said = " ".join(limits(alone, [few], {"counts": tied}))
    assert "no external test" in said and "(12, internal)" in said and "gives the class away" in said
    crossed = [{"split": "internal", "source": s, "class": c, "n": 9} for s in "ab" for c in ("NCV", "CVP")]
    assert "gives the class away" not in " ".join(limits(alone, [], {"counts": crossed}))


def test_the_drawing_puts_values_where_they_are():
    info = with_axis(("one",), (Row("&lt;b&gt;", (Point(0.5, 0.25, 0.75, 40, "wilson"),)),))
    drawing = draw_forest(info)
    (mark,) = drawing.marks
    assert drawing.lines[0].title == "<b>"  # escaped once, by the template
    assert (mark.low + mark.high) / 2 == mark.value == WIDTH / 2
    assert mark.high - mark.low == (WIDTH - 20) / 2 and not mark.is_few
    assert "0.50 [0.25, 0.75], n 40" in mark.words
