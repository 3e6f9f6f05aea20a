"""Experiments to start from. `demo-single` and `demo-balanced` are the demo; the others need real sources."""

from collections.abc import Mapping

from covaudit.domain.experiment import Experiment, Training
from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.task import TASKS

DEMO = ("demo-single", "demo-balanced")

_DEMO_PER_CLASS = 240
_DEMO_TRAINING = Training(image_size=128, epochs=12, batch_size=16, lr=3e-3)
_DEMO_SOURCES = ("phantom-a", "phantom-b", "phantom-c", "phantom-d")


def _draw(*components: tuple[str, str, int | None]) -> Mixture:
    return Mixture(tuple(Component(source=source, label=label, limit=limit) for source, label, limit in components))


_DEMO_TEST = _draw(("phantom-e", "NOR", 100), ("phantom-e", "CVP", 100))

PRESETS: Mapping[str, Experiment] = {
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
    "cxr-single-cl2": Experiment(
        name="CXR-Single-CL2",
        task=TASKS["CL2"],
        train=_draw(("cxri", "NCV", 1000), ("cidc", "CVP", None)),
        notes="Paper 1, Table 1: paediatric CXRI against adult CIDC. Cramér's V of class and source is 1.",
    ),
    "cxr-independent-cl2": Experiment(
        name="CXR-Independent-CL2",
        task=TASKS["CL2"],
        train=_draw(("cxri", "NCV", 1000), ("hannover", "CVP", None)),
        test=_draw(("chestxray8", "NCV", None), ("cidc", "CVP", None)),
        notes="After paper 1, Table 1, with the sources that are open: test sources are never trained on, yet class "
        "and source stay tied, in training and in the test.",
    ),
}
