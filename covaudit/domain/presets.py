"""Experiments to start from: the demo, the papers' set-ups as printed, and the same questions on open sources.

As printed: the paper's network, protocol, classes, sizes and split. The papers divided images, so patients can be on
both sides; the acknowledgement that a run needs for that comes with the preset, to be seen and changed in Compose. On
open sources: what can be fetched without an agreement, a small network, patients kept together, minutes on a laptop.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from covaudit.domain.experiment import Experiment
from covaudit.domain.labels import is_a
from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.protocols import PROTOCOLS
from covaudit.domain.setups import COLLECTION_OF, SETUPS, PrintedClass, PrintedSetup
from covaudit.domain.source import Source
from covaudit.domain.split import PAPER_PARTS, Sampling, Split
from covaudit.domain.task import TASKS
from covaudit.domain.training import Training

DEMO = ("demo-single", "demo-balanced")
OPEN = "-open"
"""How the name of a preset on open sources ends; what comes before is the set-up's."""

SMALL_EPOCHS, SMALL_PER_CLASS, SMALL_TEST = 2, 100, 50
"""The most that `cut_down` leaves: epochs, images of a class to train on, images of a line of the test mixture."""

_AS_PRINTED = "As in the paper, which divided images: films of one patient can be on both sides."

_DEMO_PER_CLASS = 240
_DEMO_TRAINING = Training(image_size=128, epochs=12, batch_size=16, lr=3e-3)
_DEMO_SOURCES = ("phantom-a", "phantom-b", "phantom-c", "phantom-d")


def _draw(*components: tuple[str, str, int | None]) -> Mixture:
    return Mixture(tuple(Component(source=source, label=label, limit=limit) for source, label, limit in components))


_DEMO_TEST = _draw(("phantom-e", "NOR", 100), ("phantom-e", "CVP", 100))

_DEMOS: Mapping[str, Experiment] = {
    "demo-single": Experiment(
        name="Demo: each class from its own source",
        task=TASKS["CL2"],
        train=_draw(("phantom-a", "NOR", _DEMO_PER_CLASS), ("phantom-b", "CVP", _DEMO_PER_CLASS)),
        test=_DEMO_TEST,
        network="efficient",
        training=_DEMO_TRAINING,
        notes="Normal films from one source, COVID-19 films from another: the marker gives the class away.",
    ),
    "demo-balanced": Experiment(
        name="Demo: classes crossed with sources",
        task=TASKS["CL2"],
        train=_draw(*((source, label, _DEMO_PER_CLASS // 4) for source in _DEMO_SOURCES for label in ("NOR", "CVP"))),
        test=_DEMO_TEST,
        network="efficient",
        training=_DEMO_TRAINING,
        notes="As many films of each class from each of four sources: the source says nothing about the class.",
    ),
}


def _printed() -> Iterator[tuple[str, Experiment]]:
    for name, setup in SETUPS.items():
        yield name, _of_albert(name, setup) if name.startswith("albert") else _of_cvrnet(name, setup)


def _of_cvrnet(name: str, setup: PrintedSetup) -> Experiment:
    is_independent = any(one.test_sources for one in setup.classes)
    train = ((COLLECTION_OF[source], one.name, None) for one in setup.classes for source in one.sources)
    test = ((COLLECTION_OF[source], one.name, one.sizes[2]) for one in setup.classes for source in one.test_sources)
    return Experiment(
        name=f"{setup.title}, as printed",
        task=TASKS[name[-3:].upper()],
        train=_draw(*train),
        test=_draw(*test),
        sampling=Sampling(per_class={one.name: one.n for one in setup.classes}),
        split=Split(method="independent") if is_independent else Split(method="paper", folds=PAPER_PARTS),
        network="cvrnet",
        training=PROTOCOLS["cvrnet-paper"].training,
        notes=" ".join(("Paper 1, Tables 1 and 2.", *setup.remarks)),
        acknowledged="" if is_independent else _AS_PRINTED,
    )


def _of_albert(name: str, setup: PrintedSetup) -> Experiment:
    protocol = PROTOCOLS[name]
    limits = {one.name: one.n if one.name != "CVP" else None for one in setup.classes}
    return Experiment(
        name=f"Paper 2, experiment {name[-1].upper()}, as printed",
        task=TASKS["ML5"],
        train=_draw(*(("coronahack", label, limit) for label, limit in limits.items())),
        split=Split.model_validate({"method": "image", **protocol.shares}),
        network="densenet121",
        training=protocol.training.model_copy(update={"pretrained": "imagenet"}),
        notes=" ".join(
            ("Paper 2, DenseNet-121 with ImageNet weights; its other arms are other networks.", *setup.remarks)
        ),
        acknowledged=_AS_PRINTED,
    )


_MANY = ("cidc", "hannover", "figure1")
_OPEN: Mapping[str, tuple[tuple[tuple[str, str, int | None], ...], tuple[tuple[str, str, int | None], ...]]] = {
    "cxr-single-cl2": ((("cxri", "NCV", 1000), ("cidc", "CVP", None)), ()),
    "cxr-single-cl3": ((("cxri", "NOR", 500), ("cxri", "NCP", 500), ("cidc", "CVP", None)), ()),
    "cxr-multiple-cl2": (
        (("cxri", "NCV", 700), ("chestxray8", "NCV", 700), *((source, "CVP", None) for source in _MANY)), (),
    ),
    "cxr-multiple-cl3": (
        (
            *((source, label, 350) for label in ("NOR", "NCP") for source in ("cxri", "chestxray8")),
            *((source, "CVP", None) for source in _MANY),
        ),
        (),
    ),
    "cxr-multiple-cl4": (
        (
            ("cxri", "NOR", 350), ("chestxray8", "NOR", 350), ("cxri", "OBP", 500), ("cxri", "OVP", 500),
            *((source, "CVP", None) for source in _MANY),
        ),
        (),
    ),
    "cxr-independent-cl2": (
        (("cxri", "NCV", 1000), ("hannover", "CVP", None)), (("chestxray8", "NCV", None), ("cidc", "CVP", None)),
    ),
    "ct-single-cl2": ((("mgc", "NCV", None), ("mgc", "CVP", None)), ()),
}  # fmt: skip


def _open() -> Iterator[tuple[str, Experiment]]:
    for name, (train, test) in _OPEN.items():
        title = SETUPS[name].title
        yield (
            name + OPEN,
            Experiment(
                name=f"{title}, open sources",
                task=TASKS[name[-3:].upper()],
                train=_draw(*train),
                test=_draw(*test),
                notes=f"The question of {title} on open sources: a small network, patients kept together.",
            ),
        )


PRESETS: Mapping[str, Experiment] = {**_DEMOS, **dict(_open()), **dict(_printed())}


def fit(experiment: Experiment, known: Iterable[Source]) -> Experiment:
    """A preset with its collections under the names that they were added by here, known by their readers."""
    known = list(known)
    names = [source.name for source in known]
    by_reader = {source.reader: source.name for source in reversed(known)}
    here = {name: by_reader[name] for name in _collections(experiment) if name not in names and name in by_reader}
    if not here:
        return experiment
    caps = {here.get(name, name): cap for name, cap in experiment.sampling.per_source.items()}
    return experiment.model_copy(
        update={
            "train": _renamed(experiment.train, here),
            "test": _renamed(experiment.test, here),
            "sampling": experiment.sampling.model_copy(update={"per_source": caps}),
        }
    )


def cut_down(experiment: Experiment, image_size: int) -> Experiment:
    """The same question at a size that minutes suffice for: random weights, few and small images, two epochs, one fold.

    What comes out says that all parts fit together, and nothing about the paper.
    """
    training, caps = experiment.training, experiment.sampling.per_class
    smaller = {name: min(SMALL_PER_CLASS, caps.get(name, SMALL_PER_CLASS)) for name in experiment.task.label_sets}
    few = (
        one.model_copy(update={"limit": min(SMALL_TEST, one.limit or SMALL_TEST)})
        for one in experiment.test.components()
    )
    return experiment.model_copy(
        update={
            "name": f"{experiment.name}; cut down"[:80],
            "test": Mixture(tuple(few)),
            "sampling": experiment.sampling.model_copy(update={"per_class": smaller}),
            "split": experiment.split.model_copy(update={"folds": 1}),
            "training": training.model_copy(
                update={
                    "image_size": min(image_size, training.image_size),
                    "epochs": min(SMALL_EPOCHS, training.epochs),
                    "pretrained": "none",
                }
            ),
        }
    )


class Available(NamedTuple):
    """Images here for a printed class, to train and to be tested on by themselves."""

    n: int
    n_test: int


def available(one: PrintedClass, known: Iterable[Source], counts: Mapping[str, Mapping[str, int]]) -> Available:
    """How many images at or below a printed class are here; `counts` is by source and label."""
    here = {key: source.name for source in reversed(list(known)) for key in (source.reader, source.name)}

    def total(names: Iterable[str]) -> int:
        labels = (counts.get(here.get(COLLECTION_OF[name], ""), {}) for name in names)
        return sum(n for found in labels for label, n in found.items() if is_a(label, one.name))

    return Available(total(one.sources), total(one.test_sources))


def missing(experiment: Experiment, known: Iterable[Source]) -> tuple[str, ...]:
    """The collections of a preset that are not here, neither by their name nor by their reader."""
    there = {name for source in known for name in (source.name, source.reader)}
    return tuple(name for name in _collections(experiment) if name not in there)


def _collections(experiment: Experiment) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*experiment.train.sources(), *experiment.test.sources())))


def _renamed(mixture: Mixture, names: Mapping[str, str]) -> Mixture:
    return Mixture(
        tuple(one.model_copy(update={"source": names.get(one.source, one.source)}) for one in mixture.components())
    )
