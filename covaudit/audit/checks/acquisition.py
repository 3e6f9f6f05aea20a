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
from covaudit.audit.evidence import Evidence
from covaudit.audit.words import interval, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.intervals import wilson
from covaudit.sources.phantom import STYLE_PARTS, STYLES
from covaudit.sources.radiograph import redraw
from covaudit.training.prepare import Recipe, prepare

_NAMES = {
    "marker": "laterality marker",
    "text": "burned-in text",
    "border": "collimation border",
    "tone": "grey-level curve",
    "texture": "noise and sharpness",
}


class Flips(NamedTuple):
    """How many of n predictions changed, as a share with its 95 % Wilson interval."""

    part: str
    flips: int
    n: int
    value: float
    low: float
    high: float


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    if evidence.experiment.training.preparation.match_source:
        return  # the reference grey levels are not among the evidence: redrawn films could not be matched to them
    chosen = _choose(evidence)
    if len(chosen) < rules.ENOUGH_IMAGES:
        return
    results = _swap(evidence, chosen, (*STYLE_PARTS, "all"))
    parts, everything = results[:-1], results[-1]
    read = [found for found in parts if found.low > rules.FLIP_CRITICAL]
    table = {found.part: found._asdict() for found in results}
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


def _whole(everything: Flips, parts: Sequence[Flips], table: dict[str, dict[str, float]]) -> AuditFinding:
    most = max(parts, key=lambda found: found.value)
    if everything.low > rules.FLIP_CRITICAL:
        severity, title = Severity.CRITICAL, "The network reads how the film was taken"
    elif everything.low > rules.FLIP_WARNING:
        severity, title = Severity.WARNING, "Some predictions follow how the film was taken"
    else:
        severity, title = Severity.CLEAR, "Predictions stay when the acquisition changes"
    return AuditFinding(
        check="acquisition",
        severity=severity,
        title=title,
        detail=f"With the whole acquisition style of another training source, the same patients' prediction "
        f"{_words(everything)} Of single parts, the {_NAMES[most.part]} changes most: {percent(most.value)}.",
        evidence=table,
    )


def _words(found: Flips) -> str:
    return f"changes in {found.flips} of {found.n} ({percent(found.value)}, {interval(found.low, found.high)})."


def _choose(evidence: Evidence) -> pd.DataFrame:
    """Up to `SWAP_IMAGES` internal test images that can be drawn again, with the source whose style they are given."""
    predictions = evidence.predictions
    tested = predictions[(predictions["split"] == "internal") & predictions["source"].isin(list(STYLES))]
    donors = _donors(evidence)
    pairs = zip(tested["source"], tested["class_name"], strict=True)
    tested = tested[np.array([pair in donors for pair in pairs], dtype=bool)]
    seed = derive_seed(evidence.experiment.seed, "acquisition")
    chosen = tested.sample(min(len(tested), rules.SWAP_IMAGES), random_state=seed)
    paths = evidence.samples["path"].to_numpy()[chosen["sample_row"].to_numpy()]
    donor = [donors[pair] for pair in zip(chosen["source"], chosen["class_name"], strict=True)]
    return chosen.assign(path=paths, donor=donor)


def _donors(evidence: Evidence) -> dict[tuple[str, str], str]:
    """For each (source, class), the other phantom source of the training that gives most images of other classes."""
    cells = count_cells(evidence.samples[evidence.samples["split"] == "train"])
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
    # (images, parts, size, size): all parts of one patient in a row, for the chest is drawn once then.
    pixels = np.stack([[prepare(redraw(path, donor, part), recipe).pixels for part in parts] for path, donor in pairs])
    classes = np.asarray(evidence.experiment.task.classes)
    asked: list[NDArray[Any]] = [pixels.reshape(-1, size, size)]
    if "fold" in chosen:
        asked.append(np.repeat(chosen["fold"].to_numpy(dtype=np.int64), len(parts)))
    answers = classes[evidence.predict(*asked).argmax(axis=1)].reshape(len(chosen), len(parts))
    flips = (answers != chosen["predicted"].to_numpy()[:, None]).sum(axis=0)
    return [_flips(part, int(n), len(chosen)) for part, n in zip(parts, flips, strict=True)]


def _flips(part: str, flips: int, n: int) -> Flips:
    found = wilson(flips / n, n)
    return Flips(part, flips, n, flips / n, found.low, found.high)
