"""The test without lungs: how much of the result is left when there is nothing of the disease to see?

Lungs, and a rim around them, are blanked to one grey level; then everything but the lungs. A network that still tells
the classes without lungs reads something else. (Maguolo and Nanni 2021 blanked the lungs of whole data sets.)
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested, patients_of
from covaudit.audit.words import percent, too_few
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.regions import LUNG, LUNGS_KNOWN
from covaudit.domain.seeds import derive_seed
from covaudit.explain.manipulate import blank, keep

_RESAMPLES = 1000


class Left(NamedTuple):
    """Balanced accuracy on the films as they are, and what is left of its advantage over chance, with its interval."""

    whole: float
    changed: float
    value: float
    low: float
    high: float
    n: int


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    if evidence.experiment.task.is_multi_label:
        yield NotTested("no_lung", "It asks for one class an image, and the task has several.")
        return
    tested = evidence.tested("internal")
    known = tested[[bool(evidence.regions[row, 0, 0] & LUNGS_KNOWN) for row in tested["sample_row"]]]
    chosen = evidence.sample_of(known, evidence.n_films(rules.NO_LUNG, questions=2), "no lung")
    counts = chosen["class_name"].value_counts()
    if len(chosen) < rules.ENOUGH_IMAGES:
        yield NotTested("no_lung", too_few(len(chosen), "patients of the internal test whose lungs are known"))
        return
    if len(counts) < 2 or counts.min() < rules.NO_LUNG_OF_A_CLASS:
        yield NotTested("no_lung", f"A class has fewer than {rules.NO_LUNG_OF_A_CLASS} films with known lungs.")
        return
    lungs = [(evidence.regions[row] & LUNG) > 0 for row in chosen["sample_row"]]
    films = evidence.films(chosen)
    # One level for all films: a film's own mean would still tell how white its lungs were.
    inside = round(float(np.median([np.median(film[mask]) for film, mask in zip(films, lungs, strict=True)])))
    around = round(float(np.median([np.median(film[~mask]) for film, mask in zip(films, lungs, strict=True)])))
    pairs = list(zip(films, lungs, strict=True))
    without = np.stack([blank(film, mask, inside) for film, mask in pairs])
    alone = np.stack([keep(film, mask, around) for film, mask in pairs])
    found = evidence.answers(evidence.ask(np.concatenate([without, alone]), chosen)).reshape(2, -1)
    right = (np.stack([chosen["predicted"].to_numpy(), *found]) == chosen["class_name"].to_numpy()).astype(np.float64)
    seed = derive_seed(evidence.experiment.seed, "no lung", "bootstrap")
    blanked, kept = (_left(right[0], right[place], chosen, seed) for place in (1, 2))
    if blanked is None or kept is None:
        yield NotTested("no_lung", "The network is hardly better than chance on these films: it has little to lose.")
    else:
        yield _finding(blanked, kept)


def _left(whole: NDArray[np.float64], changed: NDArray[np.float64], chosen: pd.DataFrame, seed: int) -> Left | None:
    """Share of the advantage that is left; None where the network has none to lose."""
    classes, names = pd.factorize(chosen["class_name"])
    patients, _ = pd.factorize(pd.Series(patients_of(chosen)))
    chance = 1 / len(names)
    draws = np.random.default_rng(seed)
    n_patients = int(patients.max()) + 1
    weights = np.stack([np.ones(len(classes)), *(_weights(draws, patients, n_patients) for _ in range(_RESAMPLES))])
    member = np.stack([classes == number for number in range(len(names))]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights @ member.T
        before = ((weights * whole) @ member.T / total).mean(axis=1)
        after = ((weights * changed) @ member.T / total).mean(axis=1)
        share = (after - chance) / (before - chance)
    if before[0] - chance < rules.NO_LUNG_LEAST_ADVANTAGE:
        return None
    low, high = np.nanquantile(share[1:], [0.025, 0.975])
    return Left(float(before[0]), float(after[0]), float(share[0]), float(low), float(high), len(classes))


def _weights(draws: np.random.Generator, patients: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    return np.bincount(draws.integers(n, size=n), minlength=n)[patients].astype(np.float64)


def _finding(blanked: Left, kept: Left) -> AuditFinding:
    if blanked.low > rules.NO_LUNG_CRITICAL:
        severity, title = Severity.CRITICAL, "The network answers without the lungs"
    elif blanked.low > rules.NO_LUNG_WARNING:
        severity, title = Severity.WARNING, "Part of the answer does not come from the lungs"
    else:
        severity, title = Severity.CLEAR, "Without lungs little is left of the result"
    ruled_out = ""
    if severity is Severity.CLEAR:
        ruled_out = f" That more than {percent(blanked.high)} of it is left can be ruled out at this size."
    return AuditFinding(
        check="no_lung",
        severity=severity,
        title=title,
        detail=f"Balanced accuracy is {blanked.whole:.2f} on {blanked.n} films, {blanked.changed:.2f} with the lungs "
        f"blanked and {kept.changed:.2f} with the lungs alone. Blanked, {percent(blanked.value)} of the advantage over "
        f"chance is left (95 % interval {percent(blanked.low)} to {percent(blanked.high)}).{ruled_out}",
        evidence={"without lungs": blanked._asdict(), "lungs alone": kept._asdict()},
    )
