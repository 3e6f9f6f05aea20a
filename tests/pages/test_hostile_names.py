"""Names that are Markdown, HTML or control characters are shown as they are written, on every page (threats S1)."""

import json
import re

import pytest

from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.presets import PRESETS
from covaudit.domain.run import RunState
from covaudit.domain.source import Source
from covaudit.store import runs, sources
from covaudit.ui.components.exports import csv_bytes, json_bytes

HOSTILE = "![x](http://beacon.example/x.png) <img src=x onerror=alert(1)> :red[a] $x$ :material/home:"
SINGLE = PRESETS["demo-single"]
OF_A_RUN = ("results", "findings", "heat_maps")


@pytest.fixture
def hostile(filled):
    """A failed run, a source and a finding with such names."""
    experiment = SINGLE.model_copy(update={"name": HOSTILE[:80], "seed": 99, "notes": HOSTILE})
    with filled.engine.begin() as connection:
        runs.create(connection, experiment)
    attempt = runs.claim(filled, experiment.id, "cpu")
    runs.finish(filled, experiment.id, attempt, RunState.FAILED, HOSTILE)
    sources.add(filled, Source(name=HOSTILE[:80], reader="folders", path=str(filled.workspace)))
    from sqlalchemy import insert

    from covaudit.store import integrity, schema

    finding = AuditFinding(
        check="x", severity=Severity.CRITICAL, title=HOSTILE, detail=HOSTILE, evidence={HOSTILE: HOSTILE}
    )
    row = finding.model_dump(mode="json") | {"run_id": SINGLE.id, "evidence": json.dumps(finding.evidence)}
    with filled.engine.begin() as connection:
        connection.execute(insert(schema.finding).values(**row))
        integrity.seal(connection, SINGLE.id)
    return filled


@pytest.mark.parametrize(
    "page", ["overview", "sources", "compose", "jobs", "results", "findings", "heat_maps", "compare"]
)
def test_no_markdown_of_a_page_holds_a_name_unescaped(page, hostile, open_page):
    app = open_page(page, run=SINGLE.id) if page in OF_A_RUN else open_page(page)
    drawn = [
        element.value for kind in ("markdown", "subheader", "error", "warning", "info") for element in app.get(kind)
    ]
    drawn += [bar.text for bar in app.get("progress")]
    assert not [text for text in drawn if re.search(r"(?<!\\)(!\[x|<img|:red\[|\$x)", text)]


@pytest.mark.parametrize("page", ["jobs", "findings"])
def test_the_name_can_be_read_as_it_was_written(page, hostile, open_page, seen):
    app = open_page(page, run=SINGLE.id) if page == "findings" else open_page(page)
    assert HOSTILE[:70] in seen(app)


def test_a_csv_holds_no_formula_and_says_what_it_is_for():
    import pandas as pd

    frame = pd.DataFrame({"=name": ["=1+1", "@x", "plain"], "value": [-1.5, 2.0, 3.0]})
    lines = csv_bytes(frame).decode().splitlines()
    assert lines[0] == "'=name,value,intended_use"
    assert (
        lines[1].startswith("'=1+1,-1.5,") and lines[2].startswith("'@x,") and lines[3].startswith("plain,3.0,Research")
    )
    assert json.loads(json_bytes({"a": 1}))["intended_use"].startswith("Research use only")
