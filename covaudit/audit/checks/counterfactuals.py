"""The film itself changed in one part: does the answer follow the marker, the border or the grey curve?

DeGrave et al. 2021, for films that cannot be drawn again. Markers are erased, moved, swapped and inserted, the border
and the grey curve replaced by those of a film of another class. Each change has a control that changes as much without
the cue: a patch of the same size elsewhere, the border or curve of a film of the same class. A flip counts as evidence
only beyond the control's (exact McNemar, Holm over all changes). Where nothing is detected to erase, insertion still
runs, with a drawn letter if no film of the run has a marker.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, log_odds, patients_of
from covaudit.audit.paired_flips import Effect, corrected, least_visible, measure
from covaudit.audit.words import interval, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.regions import LUNG, MARKER
from covaudit.domain.seeds import derive_seed
from covaudit.explain.manipulate import RING, boxes_of, erase, letter, paste, with_border, with_curve
from covaudit.explain.markers import Box

Bytes = NDArray[np.uint8]

CHANGES = {
    "erase": "erasing markers and text",
    "move": "moving a marker",
    "insert": "inserting another class's marker",
    "swap": "swapping the marker for another class's",
    "border": "another class's border",
    "curve": "another class's grey-level curve",
}
_READS = {
    "erase": "marker", "move": "place of the marker", "insert": "marker", "swap": "marker", "border": "border",
    "curve": "grey-level curve",
}  # fmt: skip


class Film(NamedTuple):
    """A test film, its region bits, and a donor of another and of the same class; `marks` are boxes of its markers."""

    pixels: Bytes
    regions: Bytes
    marks: list[Box]
    other: "Donor"
    same: "Donor"


class Donor(NamedTuple):
    pixels: Bytes
    regions: Bytes
    mark: Box | None


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    table = evidence.tested("internal")
    chosen = evidence.sample_of(table, rules.COUNTERFACTUAL_IMAGES, "counterfactuals")
    if len(chosen) < rules.ENOUGH_IMAGES or chosen["class_name"].nunique() < 2:
        return
    effects = corrected(_effects(evidence, chosen))
    yield from _findings(effects)


def _effects(evidence: Evidence, chosen: pd.DataFrame) -> list[Effect]:
    draws = np.random.default_rng(derive_seed(evidence.experiment.seed, "counterfactuals", "draws"))
    films = _films(evidence, chosen, draws)
    before = evidence.ask(np.stack([film.pixels for film in films]), chosen)
    patients, effects = patients_of(chosen), []
    for change in CHANGES:
        pairs = [_change(change, film, draws) for film in films]
        where = np.array([place for place, pair in enumerate(pairs) if pair is not None], np.int64)
        if len(where) < rules.ENOUGH_IMAGES:
            continue
        changed, control = (np.stack([pair[side] for pair in pairs if pair is not None]) for side in (0, 1))
        after = evidence.ask(np.concatenate([changed, control]), chosen.iloc[where])
        first, answers = evidence.answers(before[where]), evidence.answers(after)
        flipped, by_control = answers[: len(where)] != first, answers[len(where) :] != first
        # In a multi-label task, too, the output that was most certain is followed.
        top = before[where].argmax(axis=1)
        odds = log_odds(after)[np.arange(len(after)), np.concatenate([top, top])]
        shift = odds[: len(where)] - odds[len(where) :]
        seed = derive_seed(evidence.experiment.seed, "counterfactuals", change)
        effects.append(measure(change, flipped, by_control, shift, patients[where], seed))
    return effects


def _films(evidence: Evidence, chosen: pd.DataFrame, draws: np.random.Generator) -> list[Film]:
    """The chosen films, each with a donor of another class and one of its own from the same test."""
    pool = evidence.tested("internal").reset_index(drop=True)
    classes = pool["class_name"].to_numpy()
    marked = _marked(evidence, pool)
    films = []
    for row, name in zip(chosen["sample_row"], chosen["class_name"], strict=True):
        itself = (pool["sample_row"] == row).to_numpy()
        other = _donor(evidence, pool, np.flatnonzero(classes != name), marked, draws)
        alike = np.flatnonzero((classes == name) & ~itself)
        same = _donor(evidence, pool, alike if len(alike) else np.flatnonzero(itself), marked, draws)
        bits = evidence.regions[row]
        films.append(Film(np.array(evidence.pixels[row]), bits, boxes_of((bits & MARKER) > 0), other, same))
    return films


def _marked(evidence: Evidence, pool: pd.DataFrame) -> NDArray[np.bool_]:
    return np.array([bool((evidence.regions[row] & MARKER).any()) for row in pool["sample_row"]])


def _donor(
    evidence: Evidence,
    pool: pd.DataFrame,
    among: NDArray[np.int64],
    marked: NDArray[np.bool_],
    draws: np.random.Generator,
) -> Donor:
    """One of these films, of those with a marker if there are any."""
    having = among[marked[among]]
    row = int(pool["sample_row"].iloc[int(draws.choice(having if len(having) else among))])
    bits = evidence.regions[row]
    boxes = boxes_of((bits & MARKER) > 0)
    return Donor(np.array(evidence.pixels[row]), bits, boxes[0] if boxes else None)


def _change(change: str, film: Film, draws: np.random.Generator) -> tuple[Bytes, Bytes] | None:
    """The film changed, and its control; None where there is nothing to change."""
    if change in ("erase", "move") and not film.marks:
        return None
    if change == "erase":
        return _erased(film, film.pixels), _erase_elsewhere(film, draws)
    if change == "move":
        box = film.marks[0]
        place = _mirrored(box, film.pixels.shape[1])
        moved = paste(_erased(film, film.pixels), film.pixels, box, place)
        return moved, _erase_elsewhere(film, draws)
    if change == "border":
        return with_border(film.pixels, film.other.pixels), with_border(film.pixels, film.same.pixels)
    if change == "curve":
        return _curved(film, film.other), _curved(film, film.same)
    source, box = _mark_of(film)
    if change == "swap":
        if not film.marks:
            return None
        bare = _erased(film, film.pixels)
        return paste(bare, source, box), _elsewhere(bare, film, box, draws)
    return paste(film.pixels, source, box), _elsewhere(film.pixels, film, box, draws)


def _mark_of(film: Film) -> tuple[Bytes, Box]:
    if film.other.mark is not None:
        return film.other.pixels, film.other.mark
    return letter(len(film.pixels), left=len(film.marks) % 2 == 0)


def _erased(film: Film, pixels: Bytes) -> Bytes:
    return erase(pixels, (film.regions & MARKER) > 0)


def _erase_elsewhere(film: Film, draws: np.random.Generator) -> Bytes:
    """As much inpainted as the markers cover, at random places outside the lungs."""
    mask = np.zeros(film.pixels.shape, dtype=np.bool_)
    for box in film.marks:
        x, y = _place(film, box, draws)
        mask[y : y + box.bottom - box.top, x : x + box.right - box.left] = True
    return erase(film.pixels, mask)


def _elsewhere(pixels: Bytes, film: Film, box: Box, draws: np.random.Generator) -> Bytes:
    """A patch of the same size from a place of the donor without a marker, pasted at its own place."""
    x, y = _place(film, box, draws)
    patch = Box(x, y, x + box.right - box.left, y + box.bottom - box.top)
    return paste(pixels, film.other.pixels, patch)


def _place(film: Film, box: Box, draws: np.random.Generator) -> tuple[int, int]:
    """A random left top corner for a box that keeps off lungs and markers of film and donor, as far as there is one."""
    side, width, height = len(film.pixels), box.right - box.left, box.bottom - box.top
    taken = ((film.regions | film.other.regions) & (LUNG | MARKER)) > 0
    x = y = 0
    for _ in range(30):
        x, y = int(draws.integers(0, side - width + 1)), int(draws.integers(0, side - height + 1))
        if not taken[y : y + height, x : x + width].any():
            break
    return x, y


def _mirrored(box: Box, side: int) -> tuple[int, int]:
    return side - box.right, box.top


def _curved(film: Film, donor: Donor) -> Bytes:
    # The border is another change: its black frame must not bend the curve.
    inside, ring = np.zeros(film.pixels.shape, dtype=np.bool_), max(1, round(RING * len(film.pixels)))
    inside[ring:-ring, ring:-ring] = True
    counted, donor_counted = (inside & ((bits & (LUNG | MARKER)) == 0) for bits in (film.regions, donor.regions))
    return with_curve(film.pixels, donor.pixels, counted, donor_counted)


def _findings(effects: list[Effect]) -> Iterator[AuditFinding]:
    table = {effect.change: effect._asdict() for effect in effects}
    seen = [effect for effect in effects if effect.p_holm < rules.COUNTERFACTUAL_P]
    critical = [effect for effect in seen if effect.low > rules.FLIP_CRITICAL]
    warning = [effect for effect in seen if effect.low > rules.FLIP_WARNING and effect not in critical]
    for severity, found in ((Severity.CRITICAL, critical), (Severity.WARNING, warning)):
        if found:
            most = max(found, key=lambda effect: effect.value)
            what = " and ".join(dict.fromkeys(_READS[effect.change] for effect in found))
            yield AuditFinding(
                check="counterfactuals",
                severity=severity,
                title=f"Answers follow the {what} of the film"
                if severity is Severity.CRITICAL
                else f"Some answers follow the {what} of the film",
                detail=" ".join(_words(effect) for effect in sorted(found, key=lambda effect: -effect.value)),
                evidence={"strongest": most.change, **table},
            )
    if effects and not critical and not warning:
        n = min(effect.n for effect in effects)
        least = least_visible(n, len(effects), rules.COUNTERFACTUAL_P)
        most = max(effects, key=lambda effect: effect.value - effect.control)
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
        f"{interval(effect.low, effect.high)}), the control {percent(effect.control)}; the log-odds of the first "
        f"answer move by {effect.log_odds:+.1f} beyond the control (Holm's p {_p(effect.p_holm)})."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
