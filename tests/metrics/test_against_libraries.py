"""Every metric against scikit-learn on 200 random cases with ties, missing classes and groups of a single class."""

import warnings
from math import isnan

import numpy as np
import pytest
from sklearn import metrics as sk

from covaudit.metrics.answers import Answers
from covaudit.metrics.keys import Key
from covaudit.metrics.labels import LabelAnswers, label_meter
from covaudit.metrics.weighted import meter

N_CASES = 200


def case(seed: int) -> Answers:
    """N from 1 to 60, K from 2 to 5, probabilities of one decimal; every third case lacks classes in the truth."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 60)), int(rng.integers(2, 6))
    there = rng.choice(k, size=int(rng.integers(1, k + 1)), replace=False) if seed % 3 == 0 else np.arange(k)
    truth = rng.choice(there, size=n)
    chance = rng.dirichlet(np.ones(k), size=n)
    chance[np.arange(n), truth] += rng.uniform(0, 1.5)
    chance = np.round(chance / chance.sum(axis=1, keepdims=True), 1)
    predicted = np.zeros(n, dtype=int) if seed % 10 == 1 else chance.argmax(axis=1)
    return Answers(truth, predicted, chance, np.arange(n))


def values_of(measure, n: int) -> dict[Key, float]:
    return {key: float(value[0]) for key, value in measure(np.ones((1, n), dtype=np.float32)).items()}


def same(ours: float, theirs: float | None) -> None:
    """None: undefined, which is NaN with us and 0 or an exception with scikit-learn."""
    assert isnan(ours) if theirs is None else ours == pytest.approx(theirs, abs=1e-12), (ours, theirs)


@pytest.mark.parametrize("seed", range(N_CASES))
def test_single_label(seed):
    answers = case(seed)
    truth, predicted, chance = answers.truth, answers.predicted, answers.probability
    found, present = values_of(meter(answers), answers.n), answers.present()
    several = len(present) > 1
    classes = {name: [] for name in ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")}
    for k in range(chance.shape[1]):
        true, called = truth == k, predicted == k
        theirs = {
            "sensitivity": sk.recall_score(true, called) if true.any() else None,
            "specificity": sk.recall_score(~true, ~called) if not true.all() else None,
            "ppv": sk.precision_score(true, called) if called.any() else None,
            "npv": sk.precision_score(~true, ~called) if not called.all() else None,
            "f1": sk.f1_score(true, called) if true.any() else None,
            "auroc": sk.roc_auc_score(true, chance[:, k]) if true.any() and not true.all() else None,
            "auprc": sk.average_precision_score(true, chance[:, k]) if true.any() and not true.all() else None,
        }
        for metric, value in theirs.items():
            same(found[Key(metric, k)], value)
            if k in present:
                classes[metric].append(value)
    shares = [np.mean(truth == k) for k in present]
    for metric, values in classes.items():
        defined = several and None not in values
        same(found[Key(f"macro_{metric}")], float(np.mean(values)) if defined else None)
        same(found[Key(f"weighted_{metric}")], float(np.average(values, weights=shares)) if defined else None)
    same(found[Key("accuracy")], sk.accuracy_score(truth, predicted))
    same(found[Key("micro_f1")], sk.f1_score(truth, predicted, average="micro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(found[Key("balanced_accuracy")], sk.balanced_accuracy_score(truth, predicted) if several else None)
    varies = several and len(np.unique(predicted)) > 1
    same(found[Key("mcc")], sk.matthews_corrcoef(truth, predicted) if varies else None)
    same(found[Key("kappa")], sk.cohen_kappa_score(truth, predicted) if several else None)
    if several and not any(None in values for values in (classes["ppv"], classes["f1"])):
        for average in ("macro", "weighted"):
            scores = sk.precision_recall_fscore_support(truth, predicted, average=average, labels=present)
            for metric, value in zip(("ppv", "sensitivity", "f1"), scores[:3], strict=True):
                same(found[Key(f"{average}_{metric}")], value)


@pytest.mark.parametrize("seed", range(0, N_CASES, 5))
def test_probabilities(seed):
    answers = case(seed)
    chance = answers.probability + 0.05
    chance /= chance.sum(axis=1, keepdims=True)
    found = values_of(meter(answers._replace(probability=chance)), answers.n)
    labels = np.arange(chance.shape[1])
    same(found[Key("log_loss")], sk.log_loss(answers.truth, chance, labels=labels))
    same(found[Key("brier")], sk.brier_score_loss(answers.truth, chance, labels=labels, scale_by_half=True))
    confidence, right = chance[np.arange(answers.n), answers.predicted], answers.predicted == answers.truth
    ece = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        if inside.any():
            ece += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    same(found[Key("ece")], ece)


@pytest.mark.parametrize("seed", range(N_CASES))
def test_multi_label(seed):
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(2, 60)), ("Normal", "Pneumonia", "Virus", "Bacteria", "COVID")
    truth = rng.random((n, 5)) < rng.uniform(0.02, 0.6, size=5)
    chance = np.round(np.clip(rng.random((n, 5)) * 0.6 + 0.4 * truth, 0, 1), 1)
    answers = LabelAnswers(truth, chance > 0.5, chance, np.arange(n), classes)
    found, called = values_of(label_meter(answers), n), chance > 0.5
    same(found[Key("exact_match")], sk.accuracy_score(truth, called))
    same(found[Key("hamming_loss")], sk.hamming_loss(truth, called))
    cells = truth.any() and called.any()
    same(found[Key("micro_f1")], sk.f1_score(truth, called, average="micro") if truth.any() or called.any() else None)
    if cells:
        same(found[Key("micro_ppv")], sk.precision_score(truth, called, average="micro"))
    present = [k for k in range(5) if 0 < truth[:, k].sum() < n]
    assert answers.present() == present
    if len(present) > 1:
        scores = sk.f1_score(truth[:, present], called[:, present], average=None, zero_division=0)
        same(found[Key("macro_f1")], scores.mean())
        same(found[Key("weighted_f1")], float(np.average(scores, weights=truth[:, present].sum(axis=0))))
        areas = [sk.roc_auc_score(truth[:, k], chance[:, k]) for k in present]
        same(found[Key("auroc")], float(np.mean(areas)))
    for k in present:
        same(found[Key("auprc", k)], sk.average_precision_score(truth[:, k], chance[:, k]))
    normal, pneumonia, virus, bacteria, covid = called.T
    same(found[Key("normal_and_pneumonia")], (normal & pneumonia).mean())
    same(found[Key("virus_and_bacteria")], (virus & bacteria).mean())
    same(found[Key("covid_without_virus")], (covid & ~virus).mean())
    any_of = (normal & pneumonia) | (virus & bacteria) | (covid & ~virus)
    same(found[Key("contradictions")], any_of.mean())
