"""The Papers page: the figures, the flags of a table, and a run of a setup beside the printed number."""

import numpy as np

from covaudit.papers import ours
from covaudit.papers.check import check_papers
from covaudit.store import results, runs


def test_the_figures_are_those_of_the_check(empty, open_page, seen):
    words, report = seen(open_page("papers")), check_papers()
    for name in ("class_cells", "overall_cells"):
        agreed, n = report.agreed(name)
        assert f"{agreed} of {n}" in words
    assert "165 of 165" in words and "CVR-Net performs best on CXR-Independent-CL2" in words
    assert "No run of a setup yet" in words


def test_a_table_shows_its_flags_and_why(empty, open_page, seen):
    app = open_page("papers")
    app.selectbox(key="table_of_1").select("1-Table 5").run()
    words = seen(app)
    assert "⚑ 0.495" in words and "a constant predictor" in words


def test_our_run_stands_beside_its_setup(filled, open_page, monkeypatch):
    done = next(run for run in runs.listing(filled) if run.name.startswith("Demo: each"))
    monkeypatch.setattr(ours, "setup_of", lambda name: "CXR-Single-CL2" if name == done.name else None)
    accuracy = next(
        one for one in results.estimates(filled, done.id)
        if one.split == "internal" and one.metric == "accuracy" and one.is_overall
    )  # fmt: skip
    frame = next(table.value for table in open_page("papers").dataframe if "Ours" in table.value)
    row = frame[frame["Setup"] == "CXR-Single-CL2"].iloc[0]
    assert row["Ours"].startswith(f"{accuracy.value:.2f} [") and row["Test images, ours"] == f"{accuracy.n}"
    assert row["Test images, printed"] == "6,356"
    assert np.all(frame[frame["Setup"] == "CT-Single-CL2"]["Our run"] == "no run of ours")
