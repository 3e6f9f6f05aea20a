"""Each check both ways: with the planted shortcut it speaks, without it it does not."""

from collections.abc import Callable, Iterable

import pandas as pd
import pytest

from covaudit.audit.checks import acquisition, attribution, confounding, generalisation
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.report import CHECKS, Check, audit
from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import NOT_TESTED, AuditFinding, Severity
from covaudit.domain.presets import PRESETS

Make = Callable[..., Evidence]


def findings(said: Iterable[AuditFinding | NotTested]) -> list[AuditFinding]:
    return [one for one in said if isinstance(one, AuditFinding)]


def estimate(split: str, value: float, low: float, high: float) -> Estimate:
    return Estimate(split=split, metric="balanced_accuracy", value=value, low=low, high=high, n=100, method="test")


def test_confounding_warns_of_classes_that_share_no_source(make_evidence: Make) -> None:
    (finding,) = confounding.check(make_evidence("single"))
    assert finding.severity is Severity.WARNING
    assert finding.evidence["cramers_v"] == 1
    assert "CVP comes from phantom-b alone; NCV comes from phantom-a alone." in finding.detail


def test_confounding_is_clear_when_classes_are_crossed(make_evidence: Make) -> None:
    (finding,) = confounding.check(make_evidence("crossed"))
    assert finding.severity is Severity.CLEAR
    assert finding.evidence == {"cramers_v": 0.0, "single_source": {}, "n": 8 * 16}


def test_confounding_judges_the_external_test_by_itself(make_evidence: Make) -> None:
    evidence = make_evidence("crossed")
    external = evidence.samples.assign(split="external")
    tied = external[(external["source"] == "phantom-a") == (external["class_name"] == "NCV")]
    both = evidence._replace(samples=pd.concat([evidence.samples, tied]))
    train, test = confounding.check(both)
    assert (train.severity, test.severity) == (Severity.CLEAR, Severity.WARNING)
    assert test.title.startswith("The external test")


@pytest.mark.parametrize(
    ("gap", "severity"),
    [
        ((0.40, 0.30, 0.50), Severity.CRITICAL),
        ((0.40, 0.10, 0.70), Severity.WARNING),
        ((0.05, 0.01, 0.09), Severity.WARNING),
        ((0.02, -0.03, 0.07), Severity.CLEAR),
        ((-0.05, -0.10, -0.01), Severity.CLEAR),
    ],
)
def test_generalisation_judges_the_lower_end_of_the_gap(
    make_evidence: Make, gap: tuple[float, float, float], severity: Severity
) -> None:
    numbers = [
        estimate("internal", 0.9, 0.85, 0.95),
        estimate("external", 0.9 - gap[0], 0.4, 0.6),
        estimate("gap", *gap),
    ]
    (finding,) = generalisation.check(make_evidence(estimates=numbers))
    assert finding.severity is severity
    assert f"{gap[0]:+.2f}, 95 % interval {gap[1]:+.2f} to {gap[2]:+.2f}" in finding.detail


def test_generalisation_warns_when_nothing_external_was_tested(make_evidence: Make) -> None:
    (finding,) = generalisation.check(make_evidence(estimates=[estimate("internal", 0.99, 0.97, 1.0)]))
    assert finding.severity is Severity.WARNING
    assert finding.title == "No test on a source never trained on"


def test_generalisation_says_when_the_tests_hold_different_classes(make_evidence: Make) -> None:
    tested = [estimate("internal", 0.9, 0.8, 1.0), estimate("external", 0.4, 0.3, 0.5)]  # no gap
    (finding,) = generalisation.check(make_evidence(estimates=tested))
    assert finding.severity is Severity.WARNING and finding.title.startswith("The tests hold different classes")


def test_a_network_that_reads_the_marker_is_named(make_evidence: Make) -> None:
    found = list(acquisition.check(make_evidence("single", "reads the corner")))
    assert [finding.title for finding in found] == ["The network reads the laterality marker"]
    assert found[0].severity is Severity.CRITICAL
    assert found[0].evidence["marker"]["value"] > 0.9
    assert found[0].evidence["border"]["flips"] == 0


def test_a_network_that_reads_nothing_of_the_acquisition_is_not_accused(make_evidence: Make) -> None:
    (finding,) = acquisition.check(make_evidence("single", "constant"))
    assert finding.severity is Severity.CLEAR
    assert finding.evidence["all"]["flips"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whichever_films_are_drawn_again_the_marker_is_named_and_no_other_part(make_evidence: Make, seed: int) -> None:
    experiment = PRESETS["demo-single"].model_copy(update={"seed": seed})
    (read,) = acquisition.check(make_evidence("single", "reads the corner", experiment=experiment))
    (unread,) = acquisition.check(make_evidence("single", "constant", experiment=experiment))
    assert (read.severity, read.title) == (Severity.CRITICAL, "The network reads the laterality marker")
    assert (read.evidence["marker"]["n"], unread.evidence["all"]["flips"]) == (20, 0)
    assert unread.severity is Severity.CLEAR
    assert unread.evidence["could_have_seen"] == 5 / 20


def test_films_whose_grey_levels_were_matched_are_said_not_to_be_drawn_again(make_evidence: Make) -> None:
    demo = PRESETS["demo-single"]
    preparation = demo.training.preparation.model_copy(update={"match_source": "phantom-a"})
    training = demo.training.model_copy(update={"preparation": preparation})
    evidence = make_evidence(experiment=demo.model_copy(update={"training": training}))
    (said,) = acquisition.check(evidence)
    assert isinstance(said, NotTested)
    assert "grey levels were matched" in said.reason
    (told,) = (one for one in audit(evidence) if one.check == NOT_TESTED)
    assert said.reason in told.detail


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_copes_with_sources_that_cannot_be_drawn_again(make_evidence: Make, check: Check) -> None:
    evidence = make_evidence(estimates=[estimate("internal", 0.9, 0.85, 0.95)])
    renamed = {"source": {"phantom-a": "cxri", "phantom-b": "cidc"}}
    real = evidence._replace(
        samples=evidence.samples.replace(renamed), predictions=evidence.predictions.replace(renamed)
    )
    assert all(one.check != "acquisition" or isinstance(one, NotTested) for one in check(real))


def test_heat_at_markers_warns_only_when_it_is_several_times_an_even_map(make_evidence: Make) -> None:
    (loud,) = findings(attribution.check(make_evidence(heat={"on_markers": 0.5})))
    (even,) = findings(attribution.check(make_evidence(heat={"on_markers": 0.1})))
    assert (loud.severity, even.severity) == (Severity.WARNING, Severity.CLEAR)
    assert loud.evidence["low"] < 0.5 < loud.evidence["high"]
    assert loud.evidence["area"] == pytest.approx(0.1)


@pytest.mark.parametrize(("share", "severity"), [(0.98, Severity.WARNING), (0.7, Severity.NOTE), (0.2, Severity.CLEAR)])
def test_heat_outside_the_lungs_is_held_against_the_area(make_evidence: Make, share: float, severity: Severity) -> None:
    (finding,) = findings(attribution.check(make_evidence(heat={"outside_lungs": share})))
    assert finding.severity is severity


def test_attribution_says_that_the_regions_are_not_known(make_evidence: Make) -> None:
    said = list(attribution.check(make_evidence()))
    assert findings(said) == []
    assert [one.reason.split(": ")[0] for one in said if isinstance(one, NotTested)] == [
        "There are too few internal test images with heat whose markers are known",
        "There are too few internal test images with heat whose lungs are known",
    ]


def test_the_report_puts_the_gravest_first(make_evidence: Make) -> None:
    numbers = [
        estimate("internal", 0.9, 0.85, 0.95),
        estimate("external", 0.5, 0.4, 0.6),
        estimate("gap", 0.4, 0.3, 0.5),
    ]
    found = audit(make_evidence("single", "reads the corner", numbers))
    ranks = [finding.severity.rank for finding in found]
    assert ranks == sorted(ranks)
    assert found[0].check == "verdict"
    assert {finding.check for finding in found[1:]} <= {*CHECKS, NOT_TESTED}
    (left_out,) = (finding for finding in found if finding.check == NOT_TESTED)
    assert left_out.severity is Severity.NOTE
    assert set(left_out.evidence) <= set(CHECKS)
    assert [f.check for f in found if f.severity is Severity.CRITICAL][1:3] == ["acquisition", "counterfactuals"]
