"""What a run was asked, in words: task, mixtures, split, protocol, and what is done against shortcuts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from covaudit.domain.experiment import Experiment
from covaudit.domain.protocols import PROTOCOLS
from covaudit.domain.source import SourceCard
from covaudit.domain.split import MATCHES, SPLIT_METHODS
from covaudit.figures.text import SPLITS
from covaudit.reports.table import Table, of_rows
from covaudit.reports.text import class_title

_ROLES = ("train", "val", "internal", "external", "dropped")
_WEIGHTS = {"minority": "rarer classes count more", "literal": "frequent classes count more, as paper 1 prints it"}


def facts(experiment: Experiment, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and words, in the order of reading."""
    training = experiment.training
    protocol = PROTOCOLS.get(training.protocol)
    weights = {"none": "random", "imagenet": "ImageNet"}[training.pretrained]
    found = [
        ("Task", f"{experiment.task.name}: {', '.join(map(class_title, experiment.task.classes))}"),
        ("Labels of an image", "several, or none" if experiment.task.is_multi_label else "exactly one"),
        ("Split", _split(experiment)),
        ("Network", f"{experiment.network}, {weights} weights at the start, {training.image_size} px a side"),
        ("Protocol", protocol.title if protocol else training.protocol),
        (
            "Training",
            f"at most {training.epochs} epochs, batch size {training.batch_size}, {training.optimiser} with a learning "
            f"rate of {training.lr:g} ({training.schedule}); weights kept: {training.keep}",
        ),
        ("Seed", f"{experiment.seed}; every draw (split, weights, batches, bootstrap) follows from it"),
        ("Against shortcuts and imbalance", "; ".join(mitigations(experiment)) or "nothing"),
    ]
    left_out = [f"{n:,} × {reason}" for reason, n in summary.get("dropped", {}).items()]
    return [*found, *([("Left out", "; ".join(left_out))] if left_out else [])]


def _split(experiment: Experiment) -> str:
    words = SPLIT_METHODS[experiment.split.method]
    return f"{words}; {experiment.n_folds} folds, a network each" if experiment.n_folds > 1 else words


def mitigations(experiment: Experiment) -> Iterator[str]:
    """What this run does so that the network may not lean on source or class frequency."""
    training, preparation, sampling = experiment.training, experiment.training.preparation, experiment.sampling
    if sampling.per_class or sampling.per_source:
        caps = [f"{name} {n:,}" for name, n in {**sampling.per_class, **sampling.per_source}.items()]
        yield f"at most this many images: {', '.join(caps)}"
    if sampling.match != "none":
        yield MATCHES[sampling.match].lower()
    if training.class_weights != "none":
        yield f"class weights: {_WEIGHTS[training.class_weights]}"
    if training.balance_sources:
        yield "within each class every source is drawn equally often"
    if training.group_dro:
        yield "GroupDRO: the worst group of source and class counts most"
    if preparation.inpaint_markers:
        yield "markers and text painted over"
    if preparation.remove_borders:
        yield "frames cut off"
    if preparation.lungs != "as they are":
        yield {"crop": "cropped to the lungs", "mask": "all but the lungs blacked out"}[preparation.lungs]
    if preparation.match_source:
        yield f"grey levels matched to source {preparation.match_source}"
    if training.augment:
        yield "training images changed at random"


def mixture(experiment: Experiment, summary: Mapping[str, Any]) -> Table:
    """Images of each source and class, used in each split; before the run is done, what was asked for."""
    counts: Sequence[Mapping[str, Any]] = summary.get("counts", ())
    if not counts:
        drawn = [
            (name, one.source, one.label, "all" if one.limit is None else f"at most {one.limit:,}")
            for name, asked in (("Train mixture", experiment.train), ("External test", experiment.test))
            for one in asked.components()
        ]
        return of_rows("What was asked for", ("Mixture", "Source", "Label", "Images"), drawn)
    splits = [name for name in _ROLES if any(row["split"] == name for row in counts)]
    table: dict[tuple[str, str], dict[str, int]] = {}
    for row in sorted(counts, key=lambda one: splits.index(one["split"])):
        table.setdefault((row["source"], row["class"]), {})[row["split"]] = row["n"]
    rows = [(*place, *_numbers(found.get(name, 0) for name in splits)) for place, found in table.items()]
    total = _numbers(sum(row["n"] for row in counts if row["split"] == name) for name in splits)
    header = ("Source", "Class", *(SPLITS.get(name, "Could not be opened") for name in splits))
    return of_rows("Images used, by source, class and split", header, [*rows, ("All", "", *total)])


def _numbers(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" if value else "·" for value in values]


def mixture_note(experiment: Experiment) -> str:
    """What to know of the counts of a run with folds; empty for a run with one."""
    if experiment.n_folds == 1:
        return ""
    return (
        f"Each of {experiment.n_folds} folds divides the images anew: one that trains some networks is the test of "
        "another, and is counted in each column where it was."
    )


def sources(cards: Sequence[SourceCard]) -> Table:
    """Who is in each source, how the label came about, and what is known to tell it apart without disease."""
    rows = [
        (card.name, card.population, card.reference_standard, card.licence, "; ".join(card.confounders))
        for card in cards
    ]
    header = ("Source", "Population", "Reference standard", "Licence", "Known to tell the source apart")
    return of_rows("The sources, as published", header, rows)
