"""Every check on films whose cues are known, over five seeds: it speaks of what is planted, and of nothing else."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from covaudit.audit import rules
from covaudit.audit.checks import (
    attribution,
    baselines,
    counterfactuals,
    leakage,
    no_lung,
    sanity,
    separability,
    subgroups,
)
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.paired_flips import corrected, least_called, least_visible, measure
from covaudit.audit.report import audit
from covaudit.audit.verdict import verdict
from covaudit.domain.baselines import LEAD
from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.explain.sanity import Cascade
from covaudit.metrics.family import exact_mcnemar

Plant = Callable[..., Evidence]


def findings(said: Iterable[AuditFinding | NotTested]) -> list[AuditFinding]:
    return [one for one in said if isinstance(one, AuditFinding)]


seeds = pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])


@seeds
@pytest.mark.parametrize(("reads", "word"), [("marker", "marker"), ("border", "border")])
def test_counterfactuals_name_what_the_answer_follows(plant: Plant, reads: str, word: str, seed: int) -> None:
    (found,) = counterfactuals.check(plant(reads, seed))
    assert found.severity is Severity.CRITICAL
    assert word in found.title
    assert ("border" in found.title) == (reads == "border")
    effect = found.evidence[found.evidence["strongest"]]
    assert effect["value"] > 0.9
    assert effect["control"] < 0.1
    assert effect["low"] <= effect["value"] <= effect["high"]


@seeds
def test_counterfactuals_leave_a_network_that_reads_the_lungs_alone(plant: Plant, seed: int) -> None:
    (found,) = counterfactuals.check(plant("lungs", seed))
    assert found.severity is Severity.CLEAR
    n = min(effect["n"] for effect in found.evidence.values() if isinstance(effect, dict))
    assert found.evidence["could_have_seen"] == least_visible(n, 6)
    assert f"{round(100 * least_visible(n, 6))} % or more beyond the control would have been called" in found.detail


def test_insertion_runs_where_no_marker_is_known(plant: Plant) -> None:
    evidence = plant("lungs", 0)
    bare = evidence._replace(regions=evidence.regions & np.uint8(~4 & 0xFF))
    (found,) = counterfactuals.check(bare)
    assert set(found.evidence) == {"insert", "border", "curve", "could_have_seen"}


@seeds
def test_without_lungs_a_network_that_reads_the_marker_still_answers(plant: Plant, seed: int) -> None:
    (found,) = no_lung.check(plant("marker", seed))
    assert found.severity is Severity.CRITICAL
    assert found.evidence["without lungs"]["value"] == pytest.approx(1)


@seeds
def test_without_lungs_nothing_is_left_of_a_network_that_reads_them(plant: Plant, seed: int) -> None:
    (found,) = no_lung.check(plant("lungs", seed))
    assert found.severity is Severity.CLEAR
    assert found.evidence["without lungs"]["changed"] == pytest.approx(0.5)
    assert found.evidence["lungs alone"]["changed"] > 0.9


@seeds
def test_within_a_class_a_score_that_reads_the_marker_tells_the_source(plant: Plant, seed: int) -> None:
    (told,) = separability.check(plant("marker", seed, tied=False))
    (not_told,) = separability.check(plant("lungs", seed, tied=False))
    assert (told.severity, not_told.severity) == (Severity.WARNING, Severity.CLEAR)
    assert told.evidence["CVP: first against second"]["value"] == pytest.approx(1)


@seeds
def test_the_budget_puts_the_heat_where_it_is(plant: Plant, seed: int) -> None:
    on_lungs, on_markers = ([*attribution.check(plant("lungs", seed, hot=hot))] for hot in ("lungs", "markers"))
    assert [finding.severity for finding in on_lungs] == [Severity.CLEAR, Severity.CLEAR, Severity.NOTE]
    assert [finding.severity for finding in on_markers] == [Severity.WARNING, Severity.WARNING, Severity.NOTE]
    assert on_lungs[-1].title.endswith("lungs")
    assert on_markers[-1].title.endswith("markers and text")
    budget = on_lungs[-1].evidence
    assert sum(region["heat"] for region in budget.values()) == pytest.approx(1, abs=1e-6)
    assert sum(region["area"] for region in budget.values()) == pytest.approx(1, abs=1e-6)
    assert sum(region["edge"] for region in budget.values()) == pytest.approx(1, abs=1e-6)


@seeds
@pytest.mark.parametrize("kind", ["the patient", "the same file", "the same film again"])
def test_leakage_sees_a_patient_a_file_and_a_film(plant: Plant, kind: str, seed: int) -> None:
    evidence = plant("lungs", seed)
    samples, pixels = evidence.samples.copy(), evidence.pixels.copy()
    test_row = int(np.flatnonzero(samples["split"] == "internal")[seed])
    if kind == "the patient":
        samples.loc[test_row, ["source", "patient"]] = samples.loc[seed, ["source", "patient"]]
    elif kind == "the same file":
        samples.loc[test_row, "sha256"] = samples.loc[seed, "sha256"]
    else:
        pixels[test_row] = np.clip(pixels[seed].astype(int) + 3, 0, 255)
    (found,) = leakage.check(evidence._replace(samples=samples, pixels=pixels))
    assert found.severity is Severity.WARNING
    assert {name for name, n in found.evidence["shared"].items() if n} == {kind}
    assert (found.evidence["value"], found.evidence["n"]) == (1 / 80, 80)


@seeds
def test_leakage_is_clear_where_nothing_is_shared(plant: Plant, seed: int) -> None:
    (found,) = leakage.check(plant("lungs", seed))
    assert (found.severity, found.evidence["value"], found.evidence["n"]) == (Severity.CLEAR, 0, 80)


@seeds
def test_subgroups_find_the_group_that_is_served_worse(plant: Plant, seed: int) -> None:
    evidence = plant("lungs", seed, tied=False)
    predictions = evidence.predictions.copy()
    missed = (predictions["sex"] == "F") & (predictions["class_name"] == "CVP")
    missed &= np.random.default_rng(seed).random(len(missed)) < 0.8
    predictions.loc[missed, "predicted"] = "NCV"
    (found,) = subgroups.check(evidence._replace(predictions=predictions))
    (fair,) = subgroups.check(evidence)
    assert (found.severity, fair.severity) == (Severity.WARNING, Severity.CLEAR)
    assert "CVP is found in" in found.detail
    assert "sex: F" in found.detail


@seeds
def test_a_constant_predictor_is_called_one(plant: Plant, seed: int) -> None:
    evidence = plant("lungs", seed)
    constant = evidence._replace(predictions=evidence.predictions.assign(predicted="NCV"))
    (found,) = findings(baselines.check(constant))
    assert found.severity is Severity.WARNING
    assert found.evidence == {"constant_in": "internal", "answer": "NCV", "n": 80, "value": 1.0}
    assert verdict([found, finding("counterfactuals", Severity.CLEAR)]).title.startswith("Not tested")
    assert findings(baselines.check(evidence)) == []


@pytest.mark.parametrize(
    ("lead", "low", "severity", "title"),
    [
        (-0.02, -0.1, Severity.WARNING, "A trivial baseline is as good"),
        (0.1, -0.01, Severity.WARNING, "The network is not seen to beat a trivial baseline"),
        (0.1, 0.02, Severity.CLEAR, "No trivial baseline is as good"),
    ],
)
def test_a_baseline_is_held_against_the_network_on_the_same_images(
    plant: Plant, lead: float, low: float, severity: Severity, title: str
) -> None:
    def estimate(value: float, bottom: float, baseline: str | None, prefix: str = "") -> Estimate:
        metric = f"{prefix}balanced_accuracy"
        return Estimate(split="internal", metric=metric, value=value, low=bottom, high=0.9, n=9, baseline=baseline)

    estimates = [
        estimate(0.9, 0.8, None),
        estimate(0.9 - lead, 0.5, "thumbnail"), estimate(lead, low, "thumbnail", LEAD),
        estimate(0.5, 0.4, "majority"), estimate(0.4, 0.3, "majority", LEAD),
    ]  # fmt: skip
    (found,) = findings(baselines.check(plant("lungs", 0)._replace(estimates=estimates)))
    assert (found.severity, found.title) == (severity, f"{title} in the internal test")
    assert f"thumbnail {0.9 - lead:.2f}" in found.detail
    assert f"leads by {lead:+.2f} ({low:+.2f} to" in found.detail


def test_effects_are_those_of_an_independent_test() -> None:
    """12 flips of 20, 2 of them also by the control, which flips 1 more: discordant 10 and 1."""
    flipped = np.arange(20) < 12
    control = np.isin(np.arange(20), [0, 1, 15])
    effect = measure("erase", flipped, control, np.linspace(-2, 0, 20), np.arange(20).astype(str), seed=0)
    assert (effect.flips, effect.n, effect.value, effect.control) == (12, 20, 0.6, 0.15)
    # Newcombe's interval of two shares, as statsmodels has it.
    low, high = confint_proportions_2indep(12, 20, 3, 20, method="newcomb", compare="diff")
    assert (effect.beyond, effect.beyond_low, effect.beyond_high) == pytest.approx((0.45, low, high))
    assert effect.p == exact_mcnemar(10, 1) == pytest.approx(2 * (1 + 11) / 2**11)
    assert effect.log_odds_low < effect.log_odds < effect.log_odds_high
    twice = corrected([effect, effect._replace(p=0.9)])
    assert [one.p_holm for one in twice] == [pytest.approx(2 * effect.p), 0.9]


@pytest.mark.parametrize(
    ("flips", "n", "severity"), [(14, 40, Severity.WARNING), (30, 40, Severity.CRITICAL), (7, 40, Severity.CLEAR),
                                 (12, 140, Severity.CLEAR), (20, 140, Severity.WARNING)],
)  # fmt: skip
def test_what_the_exact_test_calls_is_never_told_as_none(flips: int, n: int, severity: Severity) -> None:
    """One-sided flips by a border, none by five other changes: 6 * 2 / 2**k is 0.09 for 7, and less than 0.05 for more;
    12 of 140 are less than a tenth. 30 of 40 are critical by the lower end of the interval."""
    border = measure("border", np.arange(n) < flips, np.zeros(n, bool), np.zeros(n), np.arange(n).astype(str), seed=0)
    others = [border._replace(change=name, flips=0, value=0.0, beyond=0.0, p=1.0) for name in counterfactuals.CHANGES]
    (found,) = counterfactuals.tell(corrected([border, *(one for one in others if one.change != "border")]))
    assert found.severity is severity


def test_the_least_share_that_would_have_been_called() -> None:
    """With 6 tests the exact test calls 8 one-sided flips (6 * 2 / 2**8 = 0.047), of 24 and of 60; of 120 they are less
    than a tenth, and 13 are called."""
    assert 6 * exact_mcnemar(8, 0) < 0.05 < 6 * exact_mcnemar(7, 0)
    assert least_visible(24, 6) == pytest.approx(8 / 24)
    assert least_visible(60, 6) == pytest.approx(8 / 60)
    assert least_visible(120, 6) == pytest.approx(13 / 120)
    assert least_visible(5, 6) == 1.0


def test_the_least_share_that_would_have_been_called_without_a_control() -> None:
    """Of 20: Wilson's lower end is 0.081 for 4 and 0.112 for 5."""
    assert least_called(20) == pytest.approx(5 / 20)
    assert [proportion_confint(k, 20, method="wilson")[0] > 0.1 for k in (4, 5)] == [False, True]


def finding(check: str, severity: Severity, **evidence: float) -> AuditFinding:
    return AuditFinding(check=check, severity=severity, title="T", detail="d", evidence=evidence)


@pytest.mark.parametrize(
    ("findings", "severity", "words"),
    [
        ([finding("no_lung", Severity.CRITICAL)], Severity.CRITICAL, "Strong evidence"),
        ([finding("generalisation", Severity.CRITICAL)], Severity.NOTE, "Not tested"),
        ([finding("confounding", Severity.WARNING), finding("no_lung", Severity.CLEAR)], Severity.CLEAR, "No evidence"),
        ([finding("attribution", Severity.WARNING), finding("no_lung", Severity.CLEAR)], Severity.WARNING, "Signs"),
        ([finding("counterfactuals", Severity.CLEAR, could_have_seen=0.13)], Severity.CLEAR, "13 % of the answers"),
    ],
)
def test_the_verdict_follows_the_rules(findings: list[AuditFinding], severity: Severity, words: str) -> None:
    found = verdict(findings)
    assert found.severity is severity
    assert words in f"{found.title} {found.detail}"


def test_the_rules_name_checks_that_there_are() -> None:
    from covaudit.audit.report import CHECKS

    assert set(rules.SIGNS) <= set(CHECKS)


def test_checks_are_silent_on_too_few_images(plant: Plant) -> None:
    evidence = plant("marker", 0)
    few = evidence._replace(predictions=evidence.predictions.head(8))
    for check in (counterfactuals.check, no_lung.check, separability.check, subgroups.check, baselines.check):
        (said,) = check(few)
        assert isinstance(said, NotTested)
        assert said.reason


def test_a_control_that_flips_more_is_no_evidence() -> None:
    """The change flips 10 of 24 answers and its control all: McNemar's p is small, but the other way round."""
    effect = measure("border", np.arange(24) < 10, np.full(24, True), np.zeros(24), np.arange(24).astype(str), seed=0)
    assert effect.p < 0.001
    assert (effect.beyond, effect.low > 0.2) == (pytest.approx(-14 / 24), True)
    (found,) = counterfactuals.tell([effect])
    assert found.severity is Severity.CLEAR


@seeds
def test_the_checks_ask_about_no_more_images_than_an_epoch_trains(plant: Plant, seed: int) -> None:
    """80 films are trained: the floors of the portions hold, 24 films x 6 changes x 2 and 40 films x 2. With the images
    shown 20 times an epoch, all 80 patients that are tested are asked about, and nowhere near 1,600 images."""
    evidence, asked = plant("lungs", seed), []

    def predict(images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        asked.append(len(images))
        return evidence.predict(images)

    training = evidence.experiment.training
    for passes, most in ((1, 24 * 12 + 40 * 2), (20, 80 * 12 + 80 * 2)):
        longer = training.model_copy(update={"passes": passes})
        experiment = evidence.experiment.model_copy(update={"training": longer})
        asked.clear()
        audit(evidence._replace(predict=predict, experiment=experiment))
        assert sum(asked) == most


def test_films_of_one_patient_count_once(plant: Plant) -> None:
    """80 test films of 10 patients: exact tests of independent films cannot be made, and say so."""
    evidence = plant("marker", 0)
    patients = [f"p{number // 8}" for number in range(len(evidence.predictions))]
    few = evidence._replace(predictions=evidence.predictions.assign(patient=patients, source="first"))
    assert few.sample_of(few.predictions, 60, "any")["patient"].is_unique
    (said,) = counterfactuals.check(few)
    assert isinstance(said, NotTested)
    assert ": 10, and 20 are needed" in said.reason


def test_leakage_is_looked_for_within_each_fold(plant: Plant) -> None:
    """Of two folds every image is trained on in one and tested in the other; that is no leakage. A patient with an
    image on both sides of one fold is."""
    evidence = plant("lungs", 0)
    n = len(evidence.samples)
    roles = ["train,internal" if row < n // 2 else "internal,train" for row in range(n)]
    samples = evidence.samples.assign(split="internal", roles=roles)
    (clear,) = leakage.check(evidence._replace(samples=samples))
    assert (clear.severity, clear.evidence["n"]) == (Severity.CLEAR, n)
    samples.loc[n - 1, ["source", "patient"]] = samples.loc[0, ["source", "patient"]]
    (found,) = leakage.check(evidence._replace(samples=samples))
    assert (found.severity, found.evidence["shared"]["the patient"]) == (Severity.WARNING, 2)


METHODS = ("hires-cam", "grad-cam")


def _with_cascade(evidence: Evidence, likeness: float, seed: int) -> Evidence:
    """Both methods' maps are as like those of networks that forgot as `likeness` says, give or take 0.1."""
    draws = np.random.default_rng(seed)
    found = np.clip(draws.normal(likeness, 0.1, (2, 3, 16)), -1, 1)
    return evidence._replace(cascade=Cascade(METHODS, found, np.arange(16).astype(str)))


@seeds
def test_heat_on_markers_counts_only_where_the_maps_depend_on_the_network(plant: Plant, seed: int) -> None:
    evidence = plant("marker", seed, hot="markers")
    seeing = _with_cascade(evidence, 0.1, seed)
    assert [one.severity for one in sanity.check(seeing)] == [Severity.CLEAR]
    assert Severity.WARNING in {one.severity for one in attribution.check(seeing)}
    blind = _with_cascade(evidence, 0.9, seed)
    (found,) = sanity.check(blind)
    assert found.severity is Severity.WARNING and "hardly depends" in found.title
    assert found.evidence["hires-cam"]["low"] > 0.6 and found.evidence["hires-cam"]["fails"]
    (silent,) = attribution.check(blind)
    assert isinstance(silent, NotTested) and "hardly change" in silent.reason
    assert "attribution" not in str(verdict([found]).evidence)


def test_a_run_without_a_cascade_is_judged_as_before(plant: Plant) -> None:
    evidence = plant("marker", 0, hot="markers")
    assert list(sanity.check(evidence)) == []
    assert sanity.refusal(evidence) is None


def test_too_few_maps_are_said_to_be_too_few(plant: Plant) -> None:
    blind = _with_cascade(plant("marker", 0), 0.9, 0)
    assert blind.cascade is not None
    blind.cascade.likeness[:, :, 3:] = np.nan
    (said,) = sanity.check(blind)
    assert isinstance(said, NotTested) and said.reason.startswith("Only 3 of the images")


def test_many_images_of_few_patients_are_no_more_evidence_than_the_patients() -> None:
    """40 pairs of sources that do not differ, each with 12 patients of 20 nearly equal images. Taken as 240 independent
    images, most would seem to differ; by patients, about one in twenty."""
    draws = np.random.default_rng(0)
    source = np.repeat([False, True], 12 * 20)
    patients = np.repeat(np.arange(24), 20).astype(str)
    by_patient, by_image = [], []
    for _ in range(40):
        score = np.repeat(draws.normal(size=24), 20) + draws.normal(0, 0.05, 480)
        by_patient.append(separability._separation("CVP", "a against b", score, source, patients, seed=0).p)
        by_image.append(mannwhitneyu(score[source], score[~source]).pvalue)
    assert np.mean(np.array(by_image) < 0.05) > 0.5
    assert np.mean(np.array(by_patient) < 0.05) <= 0.15


@seeds
def test_a_group_of_few_patients_with_many_images_is_not_called_worse_served(plant: Plant, seed: int) -> None:
    """Among the women every patient has ten images, all answered alike. One unlucky patient is not ten."""
    evidence = plant("lungs", seed, tied=False)
    rows = evidence.predictions[evidence.predictions["class_name"] == "CVP"].reset_index(drop=True)
    women, men = rows.head(12).copy(), rows.tail(len(rows) - 12)
    samples = evidence.samples.assign(sex="M")
    samples.loc[women["sample_row"], "sex"] = "F"
    women.loc[women.index[:3], "predicted"] = "NCV"  # 3 of 12 patients, 30 of 120 images
    crowded = evidence._replace(samples=samples, predictions=pd.concat([*[women] * 10, men], ignore_index=True))
    found = findings(subgroups.check(crowded))
    assert found
    assert all(one.severity is Severity.CLEAR for one in found)
    assert found[0].evidence["CVP, sex: F (internal)"]["n_inside"] == 12
