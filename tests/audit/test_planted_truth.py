"""Every check on films whose cues are known, over five seeds: it speaks of what is planted, and of nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from covaudit.audit import rules
from covaudit.audit.checks import (
    attribution,
    baselines,
    counterfactuals,
    leakage,
    no_lung,
    separability,
    subgroups,
)
from covaudit.audit.evidence import Evidence
from covaudit.audit.paired_flips import corrected, least_visible, measure
from covaudit.audit.verdict import verdict
from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.family import exact_mcnemar

Plant = Callable[..., Evidence]
seeds = pytest.mark.parametrize("seed", range(5))


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
    assert 0 < found.evidence["could_have_seen"] < 0.3


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
    (found,) = baselines.check(constant)
    assert found.severity is Severity.WARNING
    assert found.evidence == {"answer": "NCV", "n": 80, "value": 1.0}
    assert list(baselines.check(evidence)) == []


@pytest.mark.parametrize(("high", "severity"), [(0.95, Severity.WARNING), (0.85, Severity.CLEAR)])
def test_a_baseline_that_reaches_the_network_is_told(plant: Plant, high: float, severity: Severity) -> None:
    def estimate(value: float, top: float, baseline: str | None) -> Estimate:
        return Estimate(
            split="internal", metric="balanced_accuracy", value=value, low=0.5, high=top, n=9, baseline=baseline
        )

    estimates = [estimate(0.9, 0.95, None), estimate(0.8, high, "thumbnail"), estimate(0.5, 0.6, "majority")]
    (found,) = baselines.check(plant("lungs", 0)._replace(estimates=estimates))
    assert found.severity is severity
    assert "thumbnail 0.80" in found.detail


def test_effects_are_those_of_an_independent_test() -> None:
    """12 flips of 20, 2 of them also by the control, which flips 1 more: discordant 10 and 1."""
    flipped = np.arange(20) < 12
    control = np.isin(np.arange(20), [0, 1, 15])
    effect = measure("erase", flipped, control, np.linspace(-2, 0, 20), np.arange(20).astype(str), seed=0)
    assert (effect.flips, effect.n, effect.value, effect.control) == (12, 20, 0.6, 0.15)
    assert effect.p == exact_mcnemar(10, 1) == pytest.approx(2 * (1 + 11) / 2**11)
    assert effect.log_odds_low < effect.log_odds < effect.log_odds_high
    twice = corrected([effect, effect._replace(p=0.9)])
    assert [one.p_holm for one in twice] == [pytest.approx(2 * effect.p), 0.9]


def test_the_least_share_that_would_have_been_called() -> None:
    """Of 60 with 6 tests, 8 one-sided flips give 6 * 2 / 2**8 = 0.047, 7 give 0.094."""
    assert least_visible(60, 6, 0.05) == pytest.approx(8 / 60)
    assert 6 * exact_mcnemar(8, 0) < 0.05 < 6 * exact_mcnemar(7, 0)


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
        assert list(check(few)) == []
