"""One function computes each number: page, JSON, CSV, command and report show the same digits of the same run."""

import csv
import io
import json
import subprocess
import sys
from html.parser import HTMLParser
from math import isnan

from covaudit.domain.estimate import Place
from covaudit.domain.presets import PRESETS
from covaudit.figures.text import METRICS
from covaudit.reports import tables
from covaudit.reports.html import render
from covaudit.settings import PROJECT
from covaudit.store import results
from covaudit.ui.components.exports import csv_bytes, json_bytes

SINGLE = PRESETS["demo-single"]
GAP = "Gap (internal − external)"


class Tables(HTMLParser):
    """The tables of a page as a person reads them: caption -> the text of the cells, row by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.caption, self.rows, self.text = "", [], None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.caption, self.rows = "", []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "caption"):
            self.text = ""

    def handle_data(self, data: str) -> None:
        self.text = None if self.text is None else self.text + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self.caption, self.text = self.text, None
        elif tag == "td":
            self.rows[-1].append(self.text)
            self.text = None
        elif tag == "table":
            self.found[self.caption] = [row for row in self.rows if row]


def everything(shown: dict) -> list[dict]:
    return [*shown["estimates"], *shown["breakdown"]]


def place_of(plain: dict) -> Place:
    return Place(**{name: plain.get("class" if name == "class_name" else name) for name in Place._fields})


def test_page_json_csv_and_command_agree(filled, open_page):
    estimates = results.estimates(filled, SINGLE.id)
    exported = list(csv.DictReader(io.StringIO(csv_bytes(tables.estimates_frame(estimates)).decode())))
    downloaded = everything(json.loads(json_bytes(results.show(filled, SINGLE.id))))
    command = [sys.executable, "-m", "covaudit", "show", SINGLE.id, "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    told = everything(json.loads(printed))
    assert len(exported) == len(downloaded) == len(told) == len(estimates) > 200
    assert downloaded == told
    by_place = {place_of(plain): plain for plain in downloaded}
    for one, row in zip(estimates, exported, strict=True):
        plain = by_place[one.place]
        for name in ("value", "low", "high"):
            value = getattr(one, name)
            # To the last bit: what is printed is read back to the same number.
            assert (
                (row[name] == "" and plain[name] is None) if isnan(value) else float(row[name]) == plain[name] == value
            )
        assert int(row["n"]) == plain["n"] == one.n
        assert (row["class"] or None, row["group"] or None) == (plain["class"], plain.get("group"))

    app = open_page("results", run=SINGLE.id)
    shown = next(table.value for table in app.dataframe if "Metric" in table.value).set_index("Metric")
    rows = {(row["split"], row["metric"]): row for row in told if not any(
        row.get(name) for name in ("source", "class", "group", "baseline")
    )}  # fmt: skip
    for metric, title in (("balanced_accuracy", "Balanced accuracy"), ("auroc", "AUROC"), ("log_loss", "Log loss")):
        for split, column in (("internal", "Internal test"), ("external", "External test")):
            row = rows[split, metric]
            text = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            assert shown.loc[title, column] == text
    numbers = {one.label: one.value for one in app.metric}
    assert numbers["Internal test"] == f"{rows['internal', 'balanced_accuracy']['value']:.2f}"

    # The report: every cell of its tables of metrics, worked out here from the JSON.
    html = render(filled, SINGLE.id, with_images=False)
    tables_of = Tables(html).found
    checked = 0
    for split, caption in (("internal", "Internal test"), ("external", "External test"), ("gap", GAP)):
        cells = {row[0]: row[1:] for row in tables_of[caption]}
        for metric, title in METRICS.items():
            row = rows.get((split, metric))
            if row is None or title not in cells:
                continue
            wanted = [digits(row["value"]), f"[{digits(row['low'])}, {digits(row['high'])}]", f"{row['n']:,}"]
            assert cells[title][:3] == (["–", "–", wanted[2]] if row["value"] is None else wanted)
            checked += 1
    assert checked > 20
    # Cell by cell the table that the page shows, too.
    by_class = next(table.value for table in app.dataframe if "Class" in table.value).drop(
        columns="Note", errors="ignore"
    )
    shown_cells = [[str(cell) for cell in row] for row in by_class.to_numpy()]
    assert tables_of["External test: by class"] == shown_cells


def digits(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
