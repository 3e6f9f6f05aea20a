"""The same patient on another machine: does the answer change with the acquisition alone?

For samples that can be drawn again (the phantoms), one part of the acquisition (marker, burned-in text, border,
grey-level curve, noise and sharpness) is replaced by that of another training source while patient and disease stay as
they were. A prediction that flips was read from that part: it names the shortcut. This is the counterfactual of DeGrave
et al. 2021, exact because the truth is known.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.checks.confounding import count_cells
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.paired_flips import least_called
from covaudit.audit.words import interval, percent, too_few
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.intervals import wilson
from covaudit.sources.phantom import STYLE_PARTS, STYLES
from covaudit.sources.radiograph import redraw
from covaudit.sources.roles import has_role
from covaudit.training.prepare import Recipe, prepare

_NAMES = {
    "marker": "laterality marker",
    "text": "burned-in text",
    "border": "collimation border",
    "tone": "grey-level curve",
    "texture": "noise and sharpness",
}


_PARTS = (*STYLE_PARTS, "all")


class Flips(NamedTuple):
    """How many of n predictions changed, as a share with its 95 % Wilson interval."""

    part: str
    flips: int
    n: int
    value: float
    low: float
    high: float


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    reason = _why_not(evidence)
    chosen = pd.DataFrame() if reason else _choose(evidence)
    if len(chosen) < rules.ENOUGH_IMAGES:
        few = too_few(len(chosen), "patients that could be taken on another training source's machine")
        yield NotTested("acquisition", reason or few)
        return
    results = _swap(evidence, chosen, _PARTS)
    parts, everything = results[:-1], results[-1]
    read = [found for found in parts if found.low > rules.FLIP_CRITICAL]
    table: dict[str, Any] = {found.part: found._asdict() for found in results}
    for found in sorted(read, key=lambda found: -found.value):
        yield AuditFinding(
            check="acquisition",
            severity=Severity.CRITICAL,
            title=f"The network reads the {_NAMES[found.part]}",
            detail=f"With only the {_NAMES[found.part]} of another training source, the same patients' prediction "
            f"{_words(found)}",
            evidence=table,
        )
    if not read:
        yield _whole(everything, parts, table)


def _why_not(evidence: Evidence) -> str:
    """Why no film can be drawn again, empty where films can."""
    if not evidence.tested("internal")["source"].isin(list(STYLES)).any():
        return "Films of these sources cannot be drawn again; the counterfactuals change the films themselves."
    if evidence.experiment.training.preparation.match_source:
        # The levels of the reference are not among the evidence.
        return "The films' grey levels were matched to a reference, which films drawn again could not be."
    return ""


def _whole(everything: Flips, parts: Sequence[Flips], table: dict[str, Any]) -> AuditFinding:
    most = max(parts, key=lambda found: found.value)
    if everything.low > rules.FLIP_CRITICAL:
        severity, title = Severity.CRITICAL, "The network reads how the film was taken"
    elif everything.low > rules.FLIP_WARNING:
        severity, title = Severity.WARNING, "Some predictions follow how the film was taken"
    else:
        severity, title = Severity.CLEAR, "Predictions stay when the acquisition changes"
    least = least_called(everything.n)
    if severity is Severity.CLEAR:
        table |= {"could_have_seen": least}
    return AuditFinding(
        check="acquisition",
        severity=severity,
        title=title,
        detail=f"With the whole acquisition style of another training source, the same patients' prediction "
        f"{_words(everything)} Of single parts, the {_NAMES[most.part]} changes most: {percent(most.value)}."
        + (f" Changes of {percent(least)} or more would have been called." if severity is Severity.CLEAR else ""),
        evidence=table,
    )


def _words(found: Flips) -> str:
    return f"changes in {found.flips} of {found.n} ({percent(found.value)}, {interval(found.low, found.high)})."


def _choose(evidence: Evidence) -> pd.DataFrame:
    """Internal test images that can be drawn again, with the source whose style they are given."""
    tested = evidence.tested("internal")
    tested = tested[tested["source"].isin(list(STYLES)) & ~_is_copy(evidence, tested)]
    donors = _donors(evidence)
    pairs = zip(tested["source"], tested["class_name"], strict=True)
    tested = tested[np.array([pair in donors for pair in pairs], dtype=bool)]
    chosen = evidence.sample_of(tested, evidence.n_films(rules.SWAP, len(_PARTS)), "acquisition")
    paths = evidence.samples["path"].to_numpy()[chosen["sample_row"].to_numpy()]
    donor = [donors[pair] for pair in zip(chosen["source"], chosen["class_name"], strict=True)]
    return chosen.assign(path=paths, donor=donor)


def _is_copy(evidence: Evidence, tested: pd.DataFrame) -> NDArray[np.bool_]:
    """Changed copies, which films drawn again would not be."""
    if "copy" not in evidence.samples:
        return np.zeros(len(tested), dtype=np.bool_)
    return np.asarray(evidence.samples["copy"].fillna("").to_numpy()[tested["sample_row"].to_numpy()] != "")


def _donors(evidence: Evidence) -> dict[tuple[str, str], str]:
    """For each (source, class), the other phantom source of the training that gives most images of other classes."""
    cells = count_cells(evidence.samples[has_role(evidence.samples, "train")])
    sources = sorted({source for source, _ in cells if source in STYLES})
    donors: dict[tuple[str, str], str] = {}
    for source, name in cells:
        others = {other: sum(n for (s, c), n in cells.items() if s == other and c != name) for other in sources}
        others.pop(source, None)
        if others:
            donors[source, name] = max(sorted(others), key=others.__getitem__)
    return donors


def _swap(evidence: Evidence, chosen: pd.DataFrame, parts: Sequence[str]) -> list[Flips]:
    """Each chosen image drawn again with each part swapped, and how many predictions that changes."""
    training = evidence.experiment.training
    size, recipe = training.image_size, Recipe(training.image_size, training.preparation)
    pairs = zip(chosen["path"], chosen["donor"], strict=True)
    # All parts of one patient in a row, for the chest is drawn once then.
    drawn = [[prepare(redraw(path, donor, part), recipe).pixels for part in parts] for path, donor in pairs]
    found = evidence.ask(np.stack(drawn, axis=1).reshape(-1, size, size), chosen)
    answers = evidence.answers(found).reshape(len(parts), len(chosen))
    flips = (answers != chosen["predicted"].to_numpy()).sum(axis=1)
    return [_flips(part, int(n), len(chosen)) for part, n in zip(parts, flips, strict=True)]


def _flips(part: str, flips: int, n: int) -> Flips:
    found = wilson(flips / n, n)
    return Flips(part, flips, n, flips / n, found.low, found.high)
