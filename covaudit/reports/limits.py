"""What a run does not show, as sentences that follow from what was asked and found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from covaudit.domain.built_in import BUILT_IN
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.mixture import confounding
from covaudit.figures.text import SPLITS, TOO_FEW
from covaudit.reports.tables import HEADLINE, TESTS, find
from covaudit.reports.text import class_title, score

_TIED = 0.8
"""Above this Cramér's V the source all but gives the class away."""


def limits(experiment: Experiment, estimates: Sequence[Estimate], summary: Mapping[str, Any]) -> Iterator[str]:
    """The gravest first."""
    counts = summary.get("counts", ())
    yield from _of_tests(experiment, estimates)
    for split in TESTS:
        v = confounding({(row["source"], row["class"]): row["n"] for row in counts if row["split"] == split}).cramers_v
        if v > _TIED:
            yield (
                f"{SPLITS[split]}: the source all but gives the class away (Cramér's V {score(v)}). A network that "
                "tells sources apart scores high here without seeing disease."
            )
    few = [
        f"{class_title(name)} ({find(estimates, split, 'sensitivity', class_name=name).n}, {split})"
        for split in TESTS
        for name in experiment.task.classes
        if 0 < find(estimates, split, "sensitivity", class_name=name).n < TOO_FEW
    ]
    if few:
        yield f"Classes of fewer than {TOO_FEW} test images, too few to judge by: {', '.join(few)}."
    if experiment.acknowledged:
        yield f"Patients or images are on both sides of the split. Accepted in writing: {experiment.acknowledged}"
    how = "One split and one seed" if experiment.n_folds == 1 else f"The numbers pool {experiment.n_folds} networks"
    yield f"{how}: the intervals say how other test images could change them, not how training anew could."
    yield "Labels are taken as the sources give them; the reference standard differs from source to source."
    yield (
        "The checks see what they look for. Where one is clear, an effect smaller than it could have seen, or of "
        "another kind, is not ruled out."
    )
    yield "A heat map shows where the score changes, in coarse cells, not why."
    yield "Prevalence, patients and machines of a clinic differ from these tests: predictive values do not carry over."


def _of_tests(experiment: Experiment, estimates: Sequence[Estimate]) -> Iterator[str]:
    if {*experiment.train.sources(), *experiment.test.sources()} & {source.name for source in BUILT_IN}:
        yield "Made-up radiographs are among the images: they test the program and say nothing about patients."
    if not find(estimates, "external", HEADLINE).n:
        yield "There is no external test: nothing can be said about sources that the network has not seen."
    if not find(estimates, "internal", HEADLINE).n:
        yield "There is no internal test: the gap cannot be told."


def fold_words(experiment: Experiment) -> list[str]:
    """How the numbers of a run with folds came about, sentence by sentence; none for a run with one fold."""
    k = experiment.n_folds
    if k == 1:
        return []
    external = f", as the external test by all {k}," if experiment.test else ""
    words = [
        f"{k} networks were trained, one a fold, and each image is answered by a network that did not learn it.",
        f"What is answered by several networks{external} has the mean of their probabilities, and the heat map of the "
        "first fold's network.",
        "A fold's baselines learnt from the images that its network learnt from; the lead over them is measured on all "
        "folds together, for the images of one are too few.",
    ]
    if experiment.split.method == "leave-one-source-out":
        words.insert(1, "Each fold's external test is the source that it was not trained on.")
    return words
