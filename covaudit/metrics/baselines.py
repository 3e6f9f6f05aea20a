"""What an answer is worth that has learnt no disease: baselines that every network is set beside.

`answer_baselines` lets them answer the images that the network answered; `score_baselines` says how well. Their
estimates stand among the run's, told apart by `baseline` (of `domain.baselines`), for the splits internal and external:

- metrics accuracy, balanced_accuracy, macro_f1 and auroc (multi-label: exact_match alone, of the whole label set);
- `lead: balanced_accuracy` and `lead: auroc` (multi-label: `lead: exact_match`): the network's value minus the
  baseline's on the same images, with the paired patient bootstrap's interval. A lead whose `low` is not above 0 means
  that the network does not beat the baseline.

With `baseline` None: `same_answer_share`, the share of the images that got the network's most frequent answer. At 1.0
the network is a constant predictor.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.baselines import LEAD
from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.answers import PROBABILITY, Answers, read_answers
from covaudit.metrics.features import metadata_features, thumbnail_features
from covaudit.metrics.group import Group, Plan, to_estimate
from covaudit.metrics.intervals import N_RESAMPLES, wilson
from covaudit.metrics.keys import Key
from covaudit.metrics.labels import is_multi_label
from covaudit.metrics.paired import difference_intervals

TESTS = ("internal", "external")
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
LEADS = ("balanced_accuracy", "auroc")
_MULTI_LABEL_NAMES = {"accuracy": "exact_match"}

Floats = NDArray[np.float64]


def answer_baselines(
    samples: pd.DataFrame, pixels: NDArray[np.uint8], predictions: pd.DataFrame, classes: Sequence[str]
) -> pd.DataFrame:
    """The test rows of `predictions` once for each baseline, in the same order, answered by it: a column `baseline`,
    and `predicted` and `p_<class>` of its own (multi-label: of each label set).

    `samples` (N rows with split, source, class_name and what is known of each image) and `pixels` (N, S, S) go row by
    row; `sample_row` of `predictions` points into both. Each baseline learns from the train split alone.
    """
    tested = predictions[predictions["split"].isin(TESTS)]
    names = _names(samples, tested, classes)
    train = np.flatnonzero((samples["split"] == "train").to_numpy())
    rows = tested["sample_row"].to_numpy()
    truth = samples["class_name"].map(names.index)[samples["split"] == "train"].to_numpy(dtype=np.intp)
    both = np.concatenate([train, rows])
    learners: dict[str, Callable[[], Floats]] = {
        "majority": lambda: np.tile(_shares(truth, len(names)), (len(rows), 1)),
        "source": lambda: _by_source(samples["source"].to_numpy()[train], truth, tested["source"], len(names)),
        "metadata": lambda: _logistic(metadata_features(samples.iloc[both], pixels, both), truth, len(names)),
        "thumbnail": lambda: _logistic(thumbnail_features(pixels, both), truth, len(names)),
    }
    kept = [name for name in tested if not str(name).startswith(("p_", "t_"))]
    return pd.concat([_answered(tested[kept], name, names, learn()) for name, learn in learners.items()])


def score_baselines(
    predictions: pd.DataFrame, answered: pd.DataFrame, classes: Sequence[str], seed: int,
    n_resamples: int = N_RESAMPLES,
) -> list[Estimate]:  # fmt: skip
    """The estimates of the module's docstring. `answered` is what `answer_baselines` gave for these predictions; of
    several folds, both are the folds' tables one below the other."""
    plan = Plan(tuple(_answered_names(answered)), seed, n_resamples, False)
    is_multi = is_multi_label(predictions, classes)
    found: list[Estimate] = []
    for split in TESTS:
        own = predictions[predictions["split"] == split]
        found.append(_same_answer(own, split))
        for name, rows in answered[answered["split"] == split].groupby("baseline", sort=False, observed=True):
            group = Group.of(rows, plan, split)
            for one in (*group.estimates(map(Key, MEASURED)), *_leads(own, rows, plan, split, is_multi)):
                found += _as_baseline(one, str(name), is_multi)
    return found


def _as_baseline(one: Estimate, name: str, is_multi: bool) -> Iterator[Estimate]:
    if not is_multi:
        yield one.model_copy(update={"baseline": name})
    for metric, renamed in _MULTI_LABEL_NAMES.items():
        if is_multi and one.metric.removeprefix(LEAD) == metric:
            yield one.model_copy(update={"baseline": name, "metric": one.metric.replace(metric, renamed)})


def _leads(own: pd.DataFrame, rows: pd.DataFrame, plan: Plan, split: str, is_multi: bool) -> Iterator[Estimate]:
    baseline = read_answers(rows, plan.classes)
    network = _label_set_answers(own, plan.classes) if is_multi else read_answers(own, plan.classes)
    keys = [Key("accuracy")] if is_multi else list(map(Key, LEADS))
    seed = derive_seed(plan.seed, "lead", split)
    for key, value, interval in difference_intervals(baseline, network, keys, seed, plan.n_resamples):
        yield to_estimate(Place(split, LEAD + key.metric), value, interval, network.n)


def _same_answer(own: pd.DataFrame, split: str) -> Estimate:
    counts = own["predicted"].value_counts()
    share = float(counts.max() / len(own)) if len(own) else float("nan")
    return to_estimate(Place(split, "same_answer_share"), share, wilson(share, len(own)), len(own))


# -- who answers how --------------------------------------------------------------------------------------------------


def _shares(truth: NDArray[np.intp], k: int) -> Floats:
    return np.bincount(truth, minlength=k) / len(truth)


def _by_source(known: NDArray[np.object_], truth: NDArray[np.intp], asked: "pd.Series[str]", k: int) -> Floats:
    """The shares of the classes among the training images of the same source; of a source never seen, among all."""
    shares = {name: _shares(truth[known == name], k) for name in np.unique(known)}
    return np.stack([shares.get(name, _shares(truth, k)) for name in asked]) if len(asked) else np.zeros((0, k))


def _logistic(features: Floats, truth: NDArray[np.intp], k: int) -> Floats:
    """Logistic regression of the first len(truth) rows, asked for the rest (M, k); classes weigh alike."""
    from sklearn.linear_model import LogisticRegression

    learnt, asked = features[: len(truth)], features[len(truth) :]
    spread = learnt.std(axis=0)
    varies = spread > 1e-9
    if not varies.any() or len(np.unique(truth)) < 2 or not len(asked):
        return np.tile(_shares(truth, k), (len(asked), 1))
    scaled = [(part[:, varies] - learnt[:, varies].mean(axis=0)) / spread[varies] for part in (learnt, asked)]
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=300).fit(scaled[0], truth)
    found = np.zeros((len(asked), k))
    # A feature far outside of what was learnt must not decide by itself.
    found[:, model.classes_] = model.predict_proba(np.clip(scaled[1], -5, 5))
    return found


def _answered(tested: pd.DataFrame, baseline: str, names: Sequence[str], chance: Floats) -> pd.DataFrame:
    answer = np.asarray(names, dtype=object)[chance.argmax(axis=1)] if len(tested) else []
    columns = {PROBABILITY + name: chance[:, index] for index, name in enumerate(names)}
    return tested.assign(baseline=baseline, predicted=answer, **columns)


def _names(samples: pd.DataFrame, tested: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """The classes; of a multi-label task every label set that an image truly has."""
    if is_multi_label(tested, classes):
        return sorted(set(samples["class_name"].dropna().astype(str)))
    return list(classes)


def _answered_names(answered: pd.DataFrame) -> list[str]:
    return [str(name).removeprefix(PROBABILITY) for name in answered if str(name).startswith(PROBABILITY)]


def _label_set_answers(own: pd.DataFrame, names: Sequence[str]) -> Answers:
    """Right or wrong as a whole: a label set that no image truly has counts as a wrong one."""
    truth = own["class_name"].astype(str)
    known = own["predicted"].astype(str)
    other = truth.map(lambda name: next(one for one in names if one != name))
    called = known.where(known.isin(list(names)), other)
    chance = {PROBABILITY + name: (called == name).astype(float) for name in names}
    return read_answers(own.assign(predicted=called, **chance), names)
