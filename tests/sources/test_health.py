"""Health: planted troubles are found, and sources without them are clear."""

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.finding import Severity
from covaudit.errors import BadSource
from covaudit.sources.health.check import check_sources
from covaudit.sources.health.fingerprint import FACTS
from covaudit.sources.health.report import HealthReport
from covaudit.sources.index import COLUMNS, REFUSED_COLUMNS, SourceIndex


def index(name, n=120, seed=0, **columns):
    """A source of n patients, one image each, two labels by turns, facts that say nothing of the label."""
    rng = np.random.default_rng([seed, *name.encode()])
    number = np.arange(n)
    table = pd.DataFrame(
        {
            "source": name, "image_id": [f"{i:04d}.png" for i in number], "path": [f"/x/{i}.png" for i in number],
            "sha256": [f"{name}-{i}" for i in number], "label": np.where(number % 2, "CVP", "NOR"),
            "patient": [f"person-{name}-{i}" for i in number], "view": None, "sex": None, "age": np.nan,
            "mask_path": None, "width": rng.integers(500, 700, n), "height": rng.integers(500, 700, n),
            "bytes": rng.integers(90_000, 110_000, n), "format": "PNG", "bit_depth": 8, "channels": 1,
            "brightness": rng.uniform(0.4, 0.6, n), "contrast": rng.uniform(0.1, 0.2, n),
            "sharpness": rng.uniform(5, 9, n), "border": 0.0, "phash": "",
        }
    )  # fmt: skip
    table = table.assign(**columns)
    return SourceIndex(table[list(COLUMNS)], {}, pd.DataFrame(columns=list(REFUSED_COLUMNS)), 0)


def check(*indexes):
    return check_sources({str(one.table["source"].iloc[0]): one for one in indexes})


def found(report, name):
    return [one for one in report.findings if one.check == name]


def test_sources_without_trouble_are_clear():
    report = check(index("a"), index("b"))
    assert {one.severity for one in report.findings} <= {Severity.CLEAR, Severity.NOTE}
    assert {one.check for one in report.findings if one.severity is Severity.CLEAR} >= {"unreadable", "copies"}
    assert all(one.low < 0.6 < 1 and one.value < 0.65 for one in report.predictable)
    assert not any(one.reasons for one in report.fingerprints) and report.twins == ()
    assert HealthReport.model_validate_json(report.model_dump_json()) == report


def test_a_label_that_the_size_tells_is_told():
    one = index("a")
    wide = np.where(one.table["label"] == "CVP", 900, 600)
    report = check(index("a", width=wide), index("b"))
    within = next(e for e in report.predictable if e.source == "a" and e.metric == "label")
    other = next(e for e in report.predictable if e.source == "b" and e.metric == "label")
    assert within.value > 0.99 and within.low > 0.9 and within.class_name == "CVP" and within.n == 120
    assert other.low < 0.5 < other.high or other.value < 0.62
    assert [one.severity for one in found(report, "metadata") if "source a" in one.title] == [Severity.CRITICAL]


def test_the_auroc_is_that_of_patients_not_of_images():
    """Brightness is the patient's own and random labels are too: trees that saw the patient would answer by heart."""
    rng = np.random.default_rng(1)
    n = 60
    label, brightness = rng.choice(["CVP", "NOR"], n), rng.uniform(0.2, 0.8, n)
    many = {
        "patient": np.repeat([f"person-{i}" for i in range(n)], 10), "label": np.repeat(label, 10),
        "brightness": np.repeat(brightness, 10), "width": 500, "height": 500, "bytes": 9999,
    }  # fmt: skip
    report = check(index("a", n=600, **many))
    (estimate,) = report.predictable
    assert estimate.low < 0.5 < estimate.high + 0.15 and estimate.value < 0.7


def test_too_few_patients_is_undefined_and_says_why():
    report = check(index("a", n=12))
    assert np.isnan(report.predictable[0].value) and "fewer than 10 patients" in report.predictable[0].method


def test_an_unlike_source_says_by_what():
    small = index("small", width=224, height=224, format="JPEG", channels=3, bytes=6000)
    report = check(small, index("a"), index("b"))
    assert report.fingerprints[0].source == "small"
    reasons = " ".join(report.fingerprints[0].reasons)
    assert "every image is 224 × 224 pixels (others 0 %)" in reasons and "smaller" in reasons
    assert "JPEG, 8 bit, colour (100 % of its files; others 0 %)" in reasons and "more compressed" in reasons
    assert [one.title.split()[0] for one in found(report, "fingerprint")] == ["small"]
    told = {one.class_name: one.value for one in report.predictable if one.metric == "source"}
    assert told["small"] > 0.99 and told["a"] < 0.9
    assert report.fingerprints[0].spread["side"] == (224,) * 5 and set(report.fingerprints[0].spread) == set(FACTS)


def test_copies_and_their_labels():
    shared = [f"common-{i}" if i < 2 else f"b-{i}" for i in range(120)]
    first = index("a", sha256=[f"common-{i}" if i < 2 else f"a-{i}" for i in range(120)])
    second = index("b", sha256=shared, label=["CVP", "CVP", *["NOR"] * 118])
    report = check(first, second)
    assert found(report, "copies")[0].title == "Pictures in more than one source: 2"
    (conflict,) = [one for one in found(report, "label_conflicts") if one.severity is Severity.CRITICAL]
    assert conflict.title.endswith("exclude each other: 1") and "CVP and NOR 1" in conflict.detail
    assert report.n_twins == 2 and report.twins[0].has_two_labels and report.twins[0].is_same_file
    assert not report.twins[1].has_two_labels


def test_a_label_and_its_kind_do_not_conflict():
    same = {"sha256": ["x", "x", *[str(i) for i in range(118)]], "label": ["NCP", "OVP", *["NOR"] * 118]}
    report = check(index("a", **same))
    assert not [one for one in found(report, "label_conflicts") if one.severity is Severity.CRITICAL]


def test_patients_on_both_sides_and_in_both_sources():
    sides = [f"{'train' if i % 2 else 'test'}/{i}.png" for i in range(120)]
    report = check(index("a", image_id=sides, patient=[f"person-{i // 2}" for i in range(120)]))
    assert [one.title[-4:] for one in found(report, "patients")] == [": 60"]
    alike = [f"anna-{i}" for i in range(120)]
    report = check(index("a", patient=alike), index("b", patient=[*alike[:7], *[f"b-{i}" for i in range(113)]]))
    assert [one.title for one in found(report, "patients")] == ["Patient names in more than one source: 7"]
    numbers = [str(i) for i in range(120)]
    assert not found(check(index("a", patient=numbers), index("b", patient=numbers)), "patients")


def test_files_that_are_odd():
    one = index(
        "a", format=["JPEG", "JPEG", *["PNG"] * 118], contrast=[0.0, *[0.1] * 119], width=[600, 600, 40, *[600] * 117],
        height=[600] * 119 + [3000],
    )  # fmt: skip
    refused = pd.DataFrame(
        [("a", "x.png", "/x", "CVP", "lfs_pointer"), ("a", "y.png", "/y", "CVP", "lfs_pointer")],
        columns=list(REFUSED_COLUMNS),
    )
    report = check(one._replace(refused=refused))
    assert [one.evidence["kinds"] for one in found(report, "wrong_extension")] == [{"PNG in name, JPEG inside": 2}]
    titles = " ".join(one.title for one in found(report, "odd_images"))
    assert "same value in every pixel: 1" in titles and "64 pixels: 1" in titles and "extreme shape: 2" in titles
    (pointer,) = found(report, "unreadable")
    assert pointer.title.startswith("Files left out: 2, for this is a Git LFS pointer")
    assert "git lfs pull" in pointer.detail


def test_phantoms_that_were_not_drawn_and_no_image_at_all():
    unknown = dict.fromkeys(("brightness", "contrast", "sharpness", "border"), np.nan)
    report = check(index("a", **unknown), index("b", **unknown))
    assert report.predictable == () and "brightness" not in report.fingerprints[0].spread
    with pytest.raises(BadSource, match="no image"):
        check_sources({"a": index("a", n=0)})
