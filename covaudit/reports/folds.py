"""The folds of a run beside each other."""

from collections.abc import Sequence

from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.experiment import Experiment
from covaudit.figures.text import DASH, METRICS, SPLITS
from covaudit.reports.table import Table, of_rows
from covaudit.reports.tables import TESTS
from covaudit.reports.text import interval, literal, score

# Of covaudit.metrics.folds, which imports SciPy.
MEAN, SPREAD = "mean of folds: ", "sd over folds: "
FOLD_NOTE = (
    "The interval of the mean is Student's over the folds: too narrow, for folds share training images. SD is the "
    "standard deviation over the folds, no interval."
)
_SHOWN = ("balanced_accuracy", "accuracy", "exact_match", "macro_f1", "auroc")


def fold_table(experiment: Experiment, estimates: Sequence[Estimate]) -> Table:
    """One row a test and metric: mean with Student's interval, standard deviation, then each fold."""
    k = experiment.n_folds
    found = {one.place: one for one in estimates}
    rows = []
    for split in TESTS:
        for metric in _SHOWN:
            folds = [found.get(Place(split, metric, fold=fold)) for fold in range(k)]
            if any(folds):
                mean, spread = (found.get(Place(split, prefix + metric)) for prefix in (MEAN, SPREAD))
                cells = [interval(mean) if mean else DASH, score(spread.value) if spread else DASH]
                rows.append(
                    (SPLITS[split], METRICS[metric], *cells, *(interval(one) if one else DASH for one in folds))
                )
    header = ("Test", "Metric", "Mean of the folds", "SD", *(_name(experiment, fold) for fold in range(k)))
    return of_rows("Each fold, with its 95 % interval", header, rows)


def _name(experiment: Experiment, fold: int) -> str:
    source = experiment.held_out(fold)
    return f"Fold {fold + 1}" + (f", without {literal(source, 30)}" if source else "")
