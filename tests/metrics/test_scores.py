"""Values against scikit-learn and numbers worked out by hand; what is undefined; which interval is used where."""

import time
from math import isnan

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from statsmodels.stats.proportion import proportion_confint

from covaudit.domain.estimate import Estimate
from covaudit.errors import UnknownName
from covaudit.metrics.scores import evaluate

AB = ("A", "B")
# A: 6 of 8 right; B: 3 of 4 right.
TWELVE = [("A", "A")] * 6 + [("A", "B")] * 2 + [("B", "B")] * 3 + [("B", "A")]


def pick(
    estimates: list[Estimate], metric: str, split: str = "internal", name: str | None = None, source: str | None = None
) -> Estimate:
    found = [e for e in estimates if (e.metric, e.split, e.class_name, e.source) == (metric, split, name, source)]
    assert len(found) == 1
    return found[0]


def test_values_and_denominators_by_hand(table):
    estimates = evaluate(table(TWELVE), AB, seed=0, n_resamples=50)
    expected = {
        ("accuracy", None): (9 / 12, 12),
        ("balanced_accuracy", None): ((6 / 8 + 3 / 4) / 2, 12),
        ("sensitivity", "B"): (3 / 4, 4),
        ("specificity", "B"): (6 / 8, 8),
        ("ppv", "B"): (3 / 5, 5),
        ("npv", "B"): (6 / 7, 7),
        ("f1", "B"): (6 / 9, 6),
        ("f1", "A"): (12 / 15, 9),
        ("macro_f1", None): ((6 / 9 + 12 / 15) / 2, 12),
        ("auroc", "B"): ((3 * 6 + 0.5 * (3 * 2 + 1 * 6)) / 32, 12),
        ("brier", None): ((9 * 0.1**2 + 3 * 0.9**2) / 12, 12),
    }
    for (metric, name), (value, n) in expected.items():
        found = pick(estimates, metric, name=name)
        assert (found.value, found.n) == (pytest.approx(value), n), (metric, name)


def test_wilson_is_that_of_statsmodels(table):
    estimates = evaluate(table(TWELVE), AB, seed=0, n_resamples=50)
    found = pick(estimates, "accuracy")
    assert (found.low, found.high) == pytest.approx(proportion_confint(9, 12, method="wilson"))
    assert found.method == "wilson"


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_scikit_learn_on_random_tables_with_ties(random_table, seed, k):
    table = random_table(seed, 60, k)
    classes = [str(index) for index in range(k)]
    estimates = evaluate(table, classes, seed=0, n_resamples=5)
    truth, predicted, chance = table["class_name"], table["predicted"], table[[f"p_{c}" for c in classes]].to_numpy()
    areas = [roc_auc_score(truth == name, chance[:, index]) for index, name in enumerate(classes)]
    assert pick(estimates, "accuracy").value == pytest.approx(accuracy_score(truth, predicted))
    assert pick(estimates, "balanced_accuracy").value == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert pick(estimates, "macro_f1").value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert pick(estimates, "auroc").value == pytest.approx(np.mean(areas))
    for index, name in enumerate(classes):
        true, called = truth == name, predicted == name
        assert pick(estimates, "sensitivity", name=name).value == pytest.approx(recall_score(true, called))
        assert pick(estimates, "specificity", name=name).value == pytest.approx(recall_score(~true, ~called))
        assert pick(estimates, "ppv", name=name).value == pytest.approx(precision_score(true, called))
        assert pick(estimates, "npv", name=name).value == pytest.approx(precision_score(~true, ~called))
        assert pick(estimates, "auroc", name=name).value == pytest.approx(areas[index])


def test_brier_is_scikit_learns_scaled_by_half():
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]])
    table = pd.DataFrame(
        {"source": "s", "image_id": list("abcd"), "patient": list("abcd"), "split": "val", "predicted": list("0121")}
        | {"class_name": list("0112")} | {f"p_{k}": chance[:, k] for k in range(3)}
    )  # fmt: skip
    found = pick(evaluate(table, "012", seed=0, n_resamples=5), "brier", "val")
    assert found.value == pytest.approx(brier_score_loss(list("0112"), chance, labels=list("012"), scale_by_half=True))


def test_a_class_without_images_is_undefined_not_zero(table):
    estimates = evaluate(table([("A", "A")] * 3 + [("A", "B")]), AB, seed=0, n_resamples=50)
    for metric, name in (("balanced_accuracy", None), ("macro_f1", None), ("auroc", None), ("auroc", "A")):
        found = pick(estimates, metric, name=name)
        assert isnan(found.value) and isnan(found.low) and isnan(found.high)
        assert found.method == "undefined: only class A has images"
    assert pick(estimates, "accuracy").value == 0.75
    assert pick(estimates, "f1", name="B").method == "undefined: no image of class B"
    sensitivity = pick(estimates, "sensitivity", name="B")
    assert isnan(sensitivity.value) and sensitivity.n == 0


def test_the_mean_goes_over_the_classes_that_have_images():
    table = pd.DataFrame(
        {"source": "s", "image_id": list("abcd"), "patient": list("abcd"), "split": "val", "class_name": list("AABB")}
        | {"predicted": list("ACBB"), "p_A": [0.8, 0.1, 0.1, 0.1], "p_B": [0.1, 0.1, 0.8, 0.8]}
        | {"p_C": [0.1, 0.8, 0.1, 0.1]}
    )  # fmt: skip
    estimates = evaluate(table, "ABC", seed=0, n_resamples=5)
    assert pick(estimates, "balanced_accuracy", "val").value == pytest.approx((0.5 + 1) / 2)
    assert pick(estimates, "macro_f1", "val").value == pytest.approx((2 / 3 + 1) / 2)
    # A beats B and C-called images: pairs (a, c), (a, d) won, (b, c), (b, d) tied; B wins all four.
    assert pick(estimates, "auroc", "val").value == pytest.approx((3 / 4 + 1) / 2)


def test_an_empty_split_has_estimates_that_say_so(table):
    estimates = evaluate(table(TWELVE), AB, seed=0, n_resamples=50)
    found = pick(estimates, "balanced_accuracy", "external")
    assert isnan(found.value) and found.n == 0 and found.method == "undefined: no image"
    gap = pick(estimates, "balanced_accuracy", "gap")
    assert isnan(gap.value) and gap.method == "undefined: no image (external)"


def test_training_images_are_not_evaluated(table):
    both = pd.concat([table(TWELVE), table([("A", "B")] * 50, split="train")])
    estimates = evaluate(both, AB, seed=0, n_resamples=50)
    assert pick(estimates, "accuracy").n == 12
    assert "train" not in {e.split for e in estimates}


def test_never_predicted_has_no_ppv(table):
    estimates = evaluate(table([("A", "A"), ("B", "A"), ("B", "A")]), AB, seed=0, n_resamples=50)
    assert pick(estimates, "ppv", name="B").method == "undefined: none was predicted B"
    assert pick(estimates, "npv", name="A").method == "undefined: every one was predicted A"


def test_probabilities_that_are_not_numbers_leave_only_the_counts(table):
    rows = table(TWELVE)
    rows.loc[3, "p_B"] = np.nan
    estimates = evaluate(rows, AB, seed=0, n_resamples=50)
    assert pick(estimates, "accuracy").value == 0.75
    for metric in ("auroc", "brier"):
        assert pick(estimates, metric).method == "undefined: the probabilities are not finite"


def test_repeated_patients_get_the_patient_bootstrap_and_a_wider_interval(table):
    single = evaluate(table(TWELVE * 10), AB, seed=3)
    patients = [f"p{n // 12}" for n in range(120)]
    order = sorted(TWELVE * 10)
    repeated = evaluate(table(order, patients=patients), AB, seed=3)
    one, other = pick(single, "accuracy"), pick(repeated, "accuracy")
    assert one.method == "wilson" and other.method == "patient bootstrap 2000, seed 3"
    assert other.high - other.low > 1.5 * (one.high - one.low)


def test_a_perfect_network_is_not_certain(table):
    estimates = evaluate(table([("A", "A")] * 10 + [("B", "B")] * 10), AB, seed=0, n_resamples=200)
    for metric, name in (
        ("balanced_accuracy", None),
        ("macro_f1", None),
        ("auroc", None),
        ("f1", "A"),
        ("auroc", "B"),
        ("sensitivity", "A"),
    ):
        found = pick(estimates, metric, name=name)
        assert found.value == found.high == 1.0
        assert 0.6 < found.low < 0.95, metric
    # Each sensitivity is 1.00 [0.722, 1.00] by Wilson; the mean of two: 1 - sqrt(2) * 0.278 / 2.
    low = proportion_confint(10, 10, method="wilson")[0]
    assert pick(estimates, "balanced_accuracy").low == pytest.approx(1 - np.sqrt(2) * (1 - low) / 2)


def test_perfect_on_few_patients_counts_patients_not_images(table):
    rows = [("A", "A")] * 20 + [("B", "B")] * 20
    estimates = evaluate(table(rows, patients=[f"p{n // 10}" for n in range(40)]), AB, seed=0, n_resamples=200)
    found = pick(estimates, "accuracy")
    assert found.method == "wilson, 4 patients" and found.n == 40
    assert (found.low, found.high) == pytest.approx(proportion_confint(4, 4, method="wilson"))


def test_a_single_patient_has_wide_intervals(table):
    estimates = evaluate(table(TWELVE, patients=["p"] * 12), AB, seed=0, n_resamples=200)
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier"):
        found = pick(estimates, metric)
        assert found.method.endswith("1 patient")
        assert found.high - found.low > 0.5


def test_patients_of_two_sources_are_two_patients(table):
    rows = pd.concat([table(TWELVE, source="s", patients=["1"] * 12), table(TWELVE, source="t", patients=["1"] * 12)])
    found = pick(evaluate(rows, AB, seed=0, n_resamples=50), "accuracy")
    assert found.method == "wilson, 2 patients"


def test_per_source(table):
    rows = pd.concat([table(TWELVE, source="s"), table([("A", "A")] * 5, source="t")])
    estimates = evaluate(rows, AB, seed=0, n_resamples=50)
    assert pick(estimates, "accuracy", source="s").value == 0.75
    assert pick(estimates, "accuracy", source="t").value == 1.0
    assert pick(estimates, "balanced_accuracy", source="t").method == "undefined: only class A has images"
    assert pick(estimates, "sensitivity", source="s", name="B").n == 4


def test_gap_is_internal_minus_external(random_table):
    table = pd.concat([random_table(0, 400, 3, skill=2.5), random_table(1, 400, 3, split="external", skill=0.5)])
    estimates = evaluate(table, "012", seed=0)
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "auroc"):
        gap, one, other = (pick(estimates, metric, split) for split in ("gap", "internal", "external"))
        assert gap.value == pytest.approx(one.value - other.value)
        assert gap.n == 800 and gap.method == "patient bootstrap 2000, seed 0"
        # Independent halves add in squares.
        half = np.hypot(one.high - one.low, other.high - other.low)
        assert gap.high - gap.low == pytest.approx(half, rel=0.12)
        assert gap.low < gap.value < gap.high


def test_gap_of_a_perfect_internal_test_keeps_its_doubt(table):
    rows = pd.concat([table([("A", "A")] * 10 + [("B", "B")] * 10), table(TWELVE, split="external")])
    estimates = evaluate(rows, AB, seed=0, n_resamples=500)
    gap, one, other = (pick(estimates, "balanced_accuracy", split) for split in ("gap", "internal", "external"))
    assert gap.method == "square-and-add of both intervals"
    assert gap.low == pytest.approx(gap.value - np.hypot(one.value - one.low, other.high - other.value))
    assert gap.high == pytest.approx(gap.value + (other.value - other.low))


def test_gap_of_unlike_classes_is_undefined():
    columns = {"source": "s", "p_A": 0.5, "p_B": 0.3, "p_C": 0.2}
    one = pd.DataFrame({"class_name": list("ABC"), "predicted": list("ABB"), "split": "internal"} | columns)
    two = pd.DataFrame({"class_name": list("ABB"), "predicted": list("ABA"), "split": "external"} | columns)
    table = pd.concat([one, two], ignore_index=True).assign(image_id=list("abcdef"), patient=list("abcdef"))
    estimates = evaluate(table, "ABC", seed=0, n_resamples=20)
    assert pick(estimates, "balanced_accuracy", "gap").method.startswith("undefined: internal and external do not hold")
    assert pick(estimates, "accuracy", "gap").value == pytest.approx(2 / 3 - 2 / 3)
    assert pick(estimates, "sensitivity", "gap", "B").value == pytest.approx(1 - 0.5)
    assert pick(estimates, "sensitivity", "gap", "C").method == "undefined: no image of class C (external)"


def test_same_seed_same_digits_other_seed_other_interval(random_table):
    table = random_table(0, 100, 3)
    first, again, other = (evaluate(table, "012", seed=seed, n_resamples=200) for seed in (1, 1, 2))
    # Compared as text: NaN is not equal to NaN.
    assert repr(first) == repr(again)
    assert pick(first, "macro_f1").low != pick(other, "macro_f1").low
    assert pick(first, "macro_f1").value == pick(other, "macro_f1").value


def test_row_order_changes_no_digit(random_table):
    table = random_table(0, 100, 3, images=4)
    shuffled = table.sample(frac=1, random_state=1)
    one, other = (evaluate(rows, "012", seed=0, n_resamples=200) for rows in (table, shuffled))
    for left, right in zip(one, other, strict=True):
        assert (left.metric, left.source, left.n, left.method) == (right.metric, right.source, right.n, right.method)
        for field in ("value", "low", "high"):
            assert getattr(left, field) == pytest.approx(getattr(right, field), nan_ok=True)


def test_a_class_of_another_task_is_refused(table):
    with pytest.raises(UnknownName, match=r"Unknown class 'B'.*another task"):
        evaluate(table(TWELVE).assign(p_C=0.0), ("A", "C"), seed=0)


def test_json_has_null_for_undefined(table):
    found = pick(evaluate(table([("A", "A")]), AB, seed=0, n_resamples=5), "sensitivity", name="B")
    assert '"value":null' in found.model_dump_json(by_alias=True)


def test_a_thousand_images_in_two_seconds(random_table):
    table = pd.concat([random_table(s, 334, 4, split=split) for s, split in enumerate(("val", "internal", "external"))])
    evaluate(table.head(50), "0123", seed=0, n_resamples=10)
    began = time.process_time()
    evaluate(table, "0123", seed=0)
    assert time.process_time() - began < 2.0
