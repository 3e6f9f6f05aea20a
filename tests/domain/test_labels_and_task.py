"""The label tree and the tasks of paper 1."""

import pytest

from covaudit.domain.labels import is_a
from covaudit.domain.task import NO_CLASS, TASKS, Task
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


@pytest.mark.parametrize(
    ("label", "bits", "answer"),
    [
        ("NOR", (1, 0, 0, 0, 0), "Normal"),
        ("OVP", (0, 1, 1, 0, 0), "Pneumonia+Virus"),
        ("OBP", (0, 1, 0, 1, 0), "Bacteria+Pneumonia"),
        ("CVP", (0, 1, 1, 0, 1), "COVID+Pneumonia+Virus"),
        ("NCP", None, None),
        ("TB", None, None),
    ],
)
def test_paper_2s_labels_have_the_printed_vectors(label: str, bits: tuple[int, ...], answer: str | None) -> None:
    task = TASKS["ML5"]
    assert task.is_multi_label and task.vector_of(label) == bits and task.class_of(label) == answer
    assert answer is None or task.label_of(answer) == label


def test_a_single_label_task_has_one_class_an_image() -> None:
    task = TASKS["CL3"]
    assert not task.is_multi_label and task.label_sets == task.labels == task.classes
    assert task.vector_of("OBP") == (0, 1, 0) and task.vector_of("NCV") is None


def test_a_vector_holds_for_the_labels_below_it() -> None:
    task = Task(name="two", classes=("ill", "covid"), vectors={"NCV": (0, 0), "NCP": (1, 0), "CVP": (1, 1)})
    found = {label: task.class_of(label) for label in ("NOR", "OBP", "CVP")}
    assert found == {"NOR": NO_CLASS, "OBP": "ill", "CVP": "covid+ill"}


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        ({"NOR": (1, 0, 1), "CVP": (0, 1)}, "label 'NOR' has 3 digits for 2 classes"),
        ({"NOR": (1, 0), "CVP": (1, 0)}, "no vector sets class b"),
    ],
)
def test_vectors_must_fit_the_classes(vectors: dict[str, tuple[int, ...]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Task.model_validate({"name": "odd", "classes": ("a", "b"), "vectors": vectors})
