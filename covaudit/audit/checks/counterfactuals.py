"""The film itself changed in one part: does the answer follow the marker, the border or the grey curve?

DeGrave et al. 2021, for films that cannot be drawn again. Markers are erased, moved, swapped and inserted, the border
and the grey curve replaced by those of a film of another class. Each change has a control that changes as much without
the cue: a patch of the same size elsewhere, the border or curve of a film of the same class. A flip counts as evidence
only beyond the control's (exact McNemar, Holm over all changes; one film of a patient, so that films are independent).
Where nothing is detected to erase, insertion still runs, with a drawn letter if no film of the run has a marker.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested, log_odds, patients_of
from covaudit.audit.paired_flips import Effect, corrected, least_visible, measure
from covaudit.audit.words import interval, p_value, percent, points, too_few
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.regions import MARKER
from covaudit.domain.seeds import derive_seed
from covaudit.explain.film_changes import ON_ALL_FILMS, ON_MARKED_FILMS, Donor, Film, change, donor_of
from covaudit.explain.manipulate import boxes_of

_DONORS = 240  # films that parts are taken from

CHANGES = {
    "erase": "erasing markers and text",
    "move": "moving a marker",
    "insert": "inserting another class's marker",
    "swap": "swapping the marker for another class's",
    "border": "another class's border",
    "curve": "another class's grey-level curve",
}
_READS = {
    "erase": "marker", "move": "marker", "insert": "marker", "swap": "marker", "border": "border",
    "curve": "grey-level curve",
}  # fmt: skip
_CUES = {
    "erase": "marker",
    "move": "marker",
    "insert": "marker",
    "swap": "marker",
    "border": "border",
    "curve": "curve",
}


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    table = evidence.tested("internal")
    pool = evidence.sample_of(table, _DONORS, "donors")
    marked = [bool((evidence.regions[row] & MARKER).any()) for row in pool["sample_row"]]
    # Each change and its control is a question.
    questions = 2 * (len(ON_ALL_FILMS) + len(ON_MARKED_FILMS) * float(np.mean(marked)))
    chosen = evidence.sample_of(table, evidence.n_films(rules.COUNTERFACTUAL, questions), "counterfactuals")
    if len(chosen) < rules.ENOUGH_IMAGES or chosen["class_name"].nunique() < 2:
        yield NotTested("counterfactuals", too_few(len(chosen), "patients of two classes in the internal test"))
        return
    draws = np.random.default_rng(derive_seed(evidence.experiment.seed, "counterfactuals", "draws"))
    films = _films(evidence, chosen, pool.assign(is_marked=marked), draws)
    yield from tell(corrected(_effects(evidence, chosen, films, draws)))


def _effects(evidence: Evidence, chosen: pd.DataFrame, films: list[Film], draws: np.random.Generator) -> list[Effect]:
    before, patients, effects = evidence.given(chosen), patients_of(chosen), []
    for what in CHANGES:
        pairs = {place: pair for place, film in enumerate(films) if (pair := change(what, film, draws)) is not None}
        if len(pairs) < rules.ENOUGH_IMAGES:
            continue
        where = np.array(list(pairs), np.int64)
        changed, control = (np.stack([pair[side] for pair in pairs.values()]) for side in (0, 1))
        after = evidence.ask(np.concatenate([changed, control]), chosen.iloc[where])
        first, answers = evidence.answers(before[where]), evidence.answers(after)
        flipped, by_control = answers[: len(where)] != first, answers[len(where) :] != first
        # In a multi-label task, too, the output that was most certain is followed.
        top = before[where].argmax(axis=1)
        odds = log_odds(after)[np.arange(len(after)), np.concatenate([top, top])]
        shift = odds[: len(where)] - odds[len(where) :]
        seed = derive_seed(evidence.experiment.seed, "counterfactuals", what)
        effects.append(measure(what, flipped, by_control, shift, patients[where], seed))
    return effects


def _films(evidence: Evidence, chosen: pd.DataFrame, pool: pd.DataFrame, draws: np.random.Generator) -> list[Film]:
    """The chosen films, each with a donor of another class and one of its own, of other patients in the same test."""
    classes, patients = pool["class_name"].to_numpy(), patients_of(pool)
    films = []
    for row, name, patient in zip(chosen["sample_row"], chosen["class_name"], patients_of(chosen), strict=True):
        others = patients != patient
        unlike, alike = (np.flatnonzero(others & (is_alike == (classes == name))) for is_alike in (False, True))
        pixels, bits = np.array(evidence.pixels[row]), np.array(evidence.regions[row])
        itself = donor_of(pixels, bits)
        same = _donor(evidence, pool, alike, draws) if len(alike) else itself
        other = _donor(evidence, pool, unlike, draws)
        films.append(Film(pixels, bits, boxes_of((bits & MARKER) > 0), other, same))
    return films


def _donor(evidence: Evidence, pool: pd.DataFrame, among: NDArray[np.int64], draws: np.random.Generator) -> Donor:
    """One of these films, of those with a marker if there are any."""
    having = among[pool["is_marked"].to_numpy()[among]]
    row = int(pool["sample_row"].iloc[int(draws.choice(having if len(having) else among))])
    return donor_of(np.array(evidence.pixels[row]), np.array(evidence.regions[row]))


def tell(effects: list[Effect]) -> Iterator[AuditFinding]:
    """What the effects of all changes, corrected together, amount to."""
    table = {effect.change: effect._asdict() for effect in effects}
    seen = [one for one in effects if one.p_holm < rules.COUNTERFACTUAL_P and one.beyond > rules.FLIP_WARNING]
    # A cue has one severity, that of its strongest change.
    grave = {_CUES[one.change] for one in seen if one.beyond_low > rules.FLIP_CRITICAL}
    critical = [one for one in seen if _CUES[one.change] in grave]
    warning = [one for one in seen if _CUES[one.change] not in grave]
    for severity, found in ((Severity.CRITICAL, critical), (Severity.WARNING, warning)):
        if found:
            most = max(found, key=lambda effect: effect.beyond)
            what = " and ".join(dict.fromkeys(_READS[effect.change] for effect in found))
            yield AuditFinding(
                check="counterfactuals",
                severity=severity,
                title=f"Answers follow the {what} of the film"
                if severity is Severity.CRITICAL
                else f"Some answers follow the {what} of the film",
                detail=" ".join(_words(effect) for effect in sorted(found, key=lambda effect: -effect.beyond)),
                evidence={"strongest": most.change, **table},
            )
    if effects and not critical and not warning:
        n = min(effect.n for effect in effects)
        least = least_visible(n, len(effects))
        most = max(effects, key=lambda effect: effect.beyond)
        yield AuditFinding(
            check="counterfactuals",
            severity=Severity.CLEAR,
            title="Answers stay when markers, border or grey curve change",
            detail=f"Of {len(effects)} changes on up to {max(effect.n for effect in effects)} films none flips many "
            f"more answers than its control. {_words(most)} Flips of {percent(least)} or more beyond the control would "
            "have been called.",
            evidence=table | {"could_have_seen": least},
        )


def _words(effect: Effect) -> str:
    return (
        f"{CHANGES[effect.change].capitalize()} flips {effect.flips} of {effect.n} answers ({percent(effect.value)}, "
        f"{interval(effect.low, effect.high)}), the control {percent(effect.control)}: {points(effect.beyond)} beyond "
        f"it ({points(effect.beyond_low)} to {points(effect.beyond_high)}; Holm's {p_value(effect.p_holm)}), where the "
        f"log-odds of the first answer move by {effect.log_odds:+.1f}."
    )
