"""The label tree and the tasks of paper 1."""

import pytest

from covaudit.domain.labels import is_a
from covaudit.domain.task import TASKS, Task
from covaudit.errors import CovauditError


@pytest.mark.parametrize(
    ("label", "ancestor", "expected"),
    [("OBP", "NCP", True), ("OBP", "NCV", True), ("NOR", "NCV", True), ("NOR", "NCP", False), ("CVP", "NCV", False),
     ("NCV", "NOR", False), ("TB", "TB", True), ("TB", "NCV", False)],
)  # fmt: skip
def test_is_a_follows_the_tree(label: str, ancestor: str, expected: bool) -> None:
    assert is_a(label, ancestor) is expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("CL2", {"NOR": "NCV", "OBP": "NCV", "OVP": "NCV", "NCP": "NCV", "NCV": "NCV", "CVP": "CVP"}),
        ("CL3", {"NOR": "NOR", "OBP": "NCP", "OVP": "NCP", "NCP": "NCP", "NCV": None, "CVP": "CVP"}),
        ("CL4", {"NOR": "NOR", "OBP": "OBP", "OVP": "OVP", "NCP": None, "NCV": None, "CVP": "CVP"}),
    ],
)
def test_tasks_map_every_label_or_drop_it(task: str, expected: dict[str, str | None]) -> None:
    assert {label: TASKS[task].class_of(label) for label in expected} == expected


def test_classes_of_a_task_must_not_overlap() -> None:
    with pytest.raises(ValueError, match="class 'NOR' is part of class 'NCV'"):
        Task(name="odd", classes=("NCV", "NOR"))


def test_an_unknown_task_says_which_there_are() -> None:
    with pytest.raises(CovauditError, match=r"Unknown task 'CL9'. Allowed: CL2, CL3, CL4"):
        Task.model_validate("CL9")
