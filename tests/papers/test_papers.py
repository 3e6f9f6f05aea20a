"""The printed tables: the figures that the check must give, and each error found by its cell."""

import csv
import io
import json
from pathlib import Path

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.papers import ours, printed
from covaudit.papers.cells import fixed
from covaudit.papers.check import Report, as_json, check_papers
from covaudit.papers.tables import plain_rows, printed_tables
from covaudit.tables import guarded, to_csv, to_latex, to_markdown

GOLDEN = Path(__file__).parents[3] / "shared" / "papers" / "golden.json"


@pytest.fixture(scope="module")
def report() -> Report:
    return check_papers()


def flags(report: Report, name: str) -> dict[tuple[str, str, str], str]:
    return {(cell.table, cell.row, cell.column): cell.flag for cell in report.cells[name] if cell.flag}


def test_the_figures(report):
    found = as_json(report)
    assert found["class_cells"] == [165, 165]
    assert found["overall_cells"] == [51, 55]
    assert found["recall_is_accuracy"] == [25, 27]
    assert found["splits"] == [22, 22]
    assert found["permuted_row"] is True
    assert found["constant_predictors"] == ["DarkNet"]
    json.dumps(found, allow_nan=False)


def test_the_true_supports_would_not_give_the_intervals(report):
    wrong = [key for key, flag in flags(report, "class_cells").items() if "the test set has" in flag]
    assert len(wrong) == 30
    assert {key[0] for key in wrong} == {"Table 5"}
    assert {key[2].split(",")[0] for key in wrong} == {"Pneumonia", "Virus"}


def test_an_interval_of_no_width_is_flagged(report):
    flat = [key for key, flag in flags(report, "class_cells").items() if "± 0" in flag]
    assert ("Table 5", "A: densenet121/imagenet", "COVID, recall ±") in flat
    # The Efficient model of A finds no COVID-19 at all: 0 ± 0 is printed of it, and is not called perfect.
    assert not [key for key in flat if key[1] == "A: efficient/none"]


def test_each_known_error_is_found_in_its_cell(report):
    assert set(flags(report, "f1_cells")) == {("Table 7", "B: densenet121/imagenet", "Virus, f1")}
    whole = flags(report, "whole_images")
    assert set(whole) == {
        ("Table 9", "C: densenet121/imagenet", "Bacteria, recall"),
        ("Table 9", "C: efficient/none", "Bacteria, recall"),
        ("Table 4", "A: efficient/none", "exact_match_accuracy"),
    }
    macro = flags(report, "macro_cells")
    assert {key[1] for key in macro if "weighted averages" in macro[key]} == {"A: densenet121/none"}
    assert set(flags(report, "recall_is_accuracy")) == {
        ("Table 2", "CXR-Single-CL2", "accuracy"), ("Table 5", "Xception", "CXR accuracy"),
    }  # fmt: skip
    assert {key[1] for key in flags(report, "class_metrics")} == {
        "CXR-Single-CL3, NOR", "CXR-Single-CL3, NCP", "CXR-Single-CL3, CVP",
    }  # fmt: skip
    assert set(flags(report, "not_constant")) == {("Table 5", "DarkNet", "CT recall, precision")}
    fine = {cell.row for cell in report.cells["parameters"] if not cell.flag}
    assert fine == {"CVR-Net", "EfficientNet-b1"}


def test_the_permuted_row_put_right_gives_the_class_counts():
    (matrix,) = [one for one in printed.matrices() if one.setup == printed.PERMUTED]
    assert matrix.printed[-1] == [22, 18, 89, 3914] and matrix.corrected[-1] == [89, 22, 18, 3914]
    assert [sum(row[k] for row in matrix.corrected) for k in range(4)] == [3591, 2780, 1493, 4015]
    assert [sum(row[k] for row in matrix.printed) for k in range(3)] == [3524, 2776, 1564]


def test_what_the_tests_cannot_carry(report):
    carried = {claim.said: claim.is_carried for claim in report.claims}
    assert [said for said, is_carried in carried.items() if is_carried] == [
        "Performance falls from CXR-Multiple-CL2 to CXR-Independent-CL2",
        "Performance falls from CT-Multiple-CL2 to CT-Independent-CL2",
    ]
    (best,) = [claim for claim in report.claims if "CXR-Independent-CL2 (Table 5)" in claim.said]
    assert "p = 0.15" in best.numbers and "Inception-v3" in best.numbers
    (found,) = [claim for claim in report.claims if claim.said.startswith("Every COVID-19")]
    assert "100.0 % [75.8, 100.0] (n 12)" in found.numbers


def test_every_flag_of_a_printed_cell_is_in_a_table(report):
    tables = printed_tables(report)
    assert len(tables) == 15
    text = "\n".join(" ".join(row) for table in tables for row in plain_rows(table)[1])
    for cell in report.flagged():
        assert cell.flag in text, cell


def test_rounding_is_half_up():
    assert [fixed(2.675, 2), fixed(0.125, 2), fixed(-1.005, 2), fixed(74.2857, 2)] == ["2.68", "0.13", "-1.01", "74.29"]


def test_runs_tell_their_setup_by_name():
    assert ours.setup_of("My CXR_Single_CL2, seed 3") == "CXR-Single-CL2"
    assert ours.setup_of("Paper 2, experiment B") == "Paper 2, experiment B"
    assert ours.setup_of("CoronaHack a, resnet50") == "Paper 2, experiment A"
    assert ours.setup_of("Demo: each class from its own source") is None
    (question,) = [one for one in ours.asked() if one.setup == "CXR-Independent-CL2"]
    assert (question.split, question.n, question.printed) == ("external", 1727, "0.887")
    inside = Estimate(split="internal", metric="accuracy", value=0.9, n=10)
    outside = Estimate(split="external", metric="accuracy", value=0.6, n=10)
    assert ours.our_estimate([inside, outside], question) == outside
    assert ours.our_estimate([inside], question) == inside


def test_tables_as_text():
    rows = [["=1+1", "a|b & 5 %", "-0.5"]]
    (line,) = list(csv.DictReader(io.StringIO(to_csv(["x", "y", "z"], rows))))
    assert (line["x"], line["y"], line["z"]) == ("'=1+1", "a|b & 5 %", "-0.5")
    assert "Research use only" in line["intended_use"]
    assert to_markdown(["x", "y", "z"], rows).splitlines()[2] == r"| =1+1 | a\|b & 5 % | -0.5 |"
    assert r"=1+1 & a|b \& 5 \% & -0.5 \\" in to_latex(["x", "y", "z"], rows)
    assert guarded("@cmd") == "'@cmd" and guarded("+3e4") == "+3e4"


@pytest.mark.data
def test_the_numbers_are_those_that_were_typed_off():
    if not GOLDEN.exists():
        pytest.skip("the typed tables are not here")
    golden = json.loads(GOLDEN.read_text())
    classes = printed.rows("paper2", "classes")
    assert [[row[m][0] for m in printed.OF_CLASS] for row in classes] == [
        [row[m] for m in printed.OF_CLASS] for row in golden["paper2"]["class_tables_5_7_9"]
    ]
    table4 = golden["paper1"]["table4_confusion"]
    assert {one.setup: one.corrected for one in printed.matrices()} == {
        name: part["matrix"] for name, part in table4.items() if isinstance(part, dict)
    }
