"""One function computes each number: page, JSON, CSV and command show the same digits of the same run."""

import csv
import io
import json
import subprocess
import sys
from math import isnan

from covaudit.domain.estimate import Place
from covaudit.domain.presets import PRESETS
from covaudit.settings import PROJECT
from covaudit.store import results
from covaudit.ui.components import scores
from covaudit.ui.components.exports import csv_bytes, json_bytes

SINGLE = PRESETS["demo-single"]


def everything(shown: dict) -> list[dict]:
    return [*shown["estimates"], *shown["breakdown"]]


def place_of(plain: dict) -> Place:
    return Place(**{name: plain.get("class" if name == "class_name" else name) for name in Place._fields})


def test_page_json_csv_and_command_agree(filled, open_page):
    estimates = results.estimates(filled, SINGLE.id)
    exported = list(csv.DictReader(io.StringIO(csv_bytes(scores.estimates_frame(estimates)).decode())))
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
