from typing import Any

from covaudit.domain.compare import Difference, differences, side_by_side
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment


def _ask(**changes: Any) -> Experiment:
    plain: dict[str, Any] = {"name": "one", "task": "CL2", "seed": 0}
    plain["train"] = [{"source": "a", "label": "NOR"}, {"source": "b", "label": "CVP"}]
    return Experiment.from_plain(plain | changes)


def test_what_differs_is_named_by_a_flat_key() -> None:
    train = [{"source": "b", "label": "CVP", "limit": 5}, {"source": "c", "label": "NOR"}]
    other = _ask(name="two", notes="words", seed=7, train=train, training={"lr": 0.01})
    assert differences([_ask(), other]) == [
        Difference("train[a, NOR]", ("all", None)),
        Difference("train[b, CVP]", ("all", "at most 5")),
        Difference("training.lr", ("0.001", "0.01")),
        Difference("seed", ("0", "7")),
        Difference("train[c, NOR]", (None, "all")),
    ]


def test_names_notes_and_the_order_of_components_are_no_difference() -> None:
    turned = [{"source": "b", "label": "CVP"}, {"source": "a", "label": "NOR"}]
    assert differences([_ask(), _ask(name="two", notes="words", train=turned)]) == []


def test_metrics_stand_beside_their_like() -> None:
    def one(split: str, value: float, **group: Any) -> Estimate:
        return Estimate(split=split, metric="accuracy", value=value, low=value, high=value, n=9, **group)

    first = [one("internal", 0.9), one("internal", 0.8, class_name="CVP")]
    second = [one("external", 0.5), one("internal", 0.7)]
    rows = side_by_side([first, second])
    assert [(row.split, [e and e.value for e in row.estimates]) for row in rows] == [
        ("internal", [0.9, 0.7]),
        ("external", [None, 0.5]),
    ]
    assert [row.class_name for row in side_by_side([first, second], overall=False)] == [None, "CVP", None]
