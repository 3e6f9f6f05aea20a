"""Runs against the first one, on the images that both were tested on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from covaudit.commands.base import plain
from covaudit.errors import CovauditError

if TYPE_CHECKING:
    from covaudit.domain.run import Run
    from covaudit.store import Store


def paired_with_first(store: "Store", compared: "Sequence[Run]") -> list[dict[str, Any]]:
    """Plain JSON for each run but the first: the paired tests, p values also after Holm over all of them, or `refused`,
    the reason why there are none; `folds` has the corrected t-tests of runs that were cross-validated alike."""
    from covaudit.metrics.family import holm

    found = [_pair(store, compared[0], run) for run in compared[1:]]
    tests = [test for one in found for test in one.get("tests", [])]
    for test, adjusted in zip(tests, holm([float(test["p"]) for test in tests]), strict=True):
        test["p_holm"] = adjusted
    return found


def _pair(store: "Store", first: "Run", second: "Run") -> dict[str, Any]:
    from covaudit.metrics.paired import compare_pair
    from covaudit.reports.fold_tests import compare_folds
    from covaudit.store import results

    experiments = (first.experiment, second.experiment)
    estimates = (results.estimates(store, first.id), results.estimates(store, second.id))
    shown: dict[str, Any] = {"baseline": first.id, "run": second.id}
    shown["folds"] = [one._asdict() for one in compare_folds(experiments, estimates)]
    classes = first.experiment.task.classes
    if set(classes) != set(second.experiment.task.classes):
        return shown | {"refused": "These runs tell different classes apart: a paired test needs the same task."}
    try:
        found = compare_pair(results.predictions(store, first), results.predictions(store, second), classes, seed=0)
    except CovauditError as error:
        return shown | {"refused": str(error)}
    tests = [{"test": found.p_method, "metric": "right or wrong", "p": found.p_value}]
    if found.auroc:
        tests.append({"test": found.auroc.method, "metric": "auroc", "p": found.auroc.p_value})
    counts = ("n", "n_patients", "both_right", "only_first", "only_second", "neither", "detectable")
    kept = {"metric", "value", "low", "high", "n", "method"}
    return shown | {name: getattr(found, name) for name in counts} | {
        "tests": tests,
        "differences": [one.model_dump(include=kept) for one in found.differences],
        "confusion_difference": found.cells._asdict(),
    }  # fmt: skip


def show_paired(pairs: Sequence[dict[str, Any]]) -> None:
    """The same as text."""
    from covaudit.metrics.family import p_words
    from covaudit.reports.text import score

    typer.echo("\nOn the same images, against the first run")
    for one in pairs:
        if "refused" in one:
            typer.echo(plain(f"  {one['run']}  {one['refused']}"))
            _show_folds(one)
            continue
        tests = "; ".join(f"{t['metric']}: {p_words(t['p'])}, after Holm {p_words(t['p_holm'])}" for t in one["tests"])
        typer.echo(f"  {one['run']}  {one['n']} shared images of {one['n_patients']} patients; {tests}")
        for row in one["differences"]:
            low, high = (score(row[end], signed=True) for end in ("low", "high"))
            typer.echo(f"    {row['metric']:18} {score(row['value'], signed=True)} [{low}, {high}]")
        _show_folds(one)


def _show_folds(pair: dict[str, Any]) -> None:
    from covaudit.metrics.family import p_words
    from covaudit.reports.fold_tests import FoldTest, difference_words

    for one in (FoldTest(**row) for row in pair["folds"]):
        p = f"{p_words(one.p)}, after Holm {p_words(one.p_holm)}"
        typer.echo(f"    over the folds: {one.metric:18} {difference_words(one)}, {p}")
