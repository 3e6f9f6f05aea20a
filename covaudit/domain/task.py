"""A task: which labels make which class. CL2, CL3 and CL4 are paper 1's (CVR-Net, section 4.1), ML5 is paper 2's."""

from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from covaudit.domain.labels import PARENT, is_a
from covaudit.errors import UnknownName

NO_CLASS = "none"
"""The label set of an image that shows none of a multi-label task's classes."""

Bits = tuple[Literal[0, 1], ...]


class Task(BaseModel):
    """Classes to be told apart.

    Without `vectors` a class is a node of the label tree, takes every label at or below it, and an image has exactly
    one. With `vectors` the task is multi-label: `classes` name the outputs, and each key of `vectors` is a node of the
    label tree with a 0 or 1 for each output, which holds for every label at or below it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=40)
    classes: tuple[str, ...] = Field(min_length=2, max_length=20)
    vectors: Mapping[str, Bits] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in TASKS:
            raise UnknownName("task", value, TASKS, "Or write a task as {name: ..., classes: [..., ...]}.")
        return TASKS[value].model_dump()

    @field_validator("classes")
    @classmethod
    def _no_class_inside_another(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        for one, other in permutations(classes, 2):
            if is_a(one, other):
                raise ValueError(f"class '{one}' is part of class '{other}'; the classes of a task must not overlap")
        return classes

    @model_validator(mode="after")
    def _vectors_fit_the_classes(self) -> "Task":
        if self.vectors is None:
            return self
        for label, bits in self.vectors.items():
            if len(bits) != len(self.classes):
                raise ValueError(
                    f"the vector of label '{label}' has {len(bits)} digits for {len(self.classes)} classes"
                )
        never = [name for place, name in enumerate(self.classes) if not any(v[place] for v in self.vectors.values())]
        if never:
            raise ValueError(f"no vector sets class {', '.join(never)}; every class needs a label that has it")
        if NO_CLASS in self.classes or any("+" in name for name in self.classes):
            raise ValueError(f"a class of a multi-label task can neither hold '+' nor be named '{NO_CLASS}'")
        return self

    @property
    def is_multi_label(self) -> bool:
        """Whether an image can have several classes, or none."""
        return self.vectors is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """The nodes of the label tree that the task maps."""
        return self.classes if self.vectors is None else tuple(self.vectors)

    @property
    def label_sets(self) -> tuple[str, ...]:
        """What `class_of` can answer: the classes, or in a multi-label task the joined names of each vector."""
        if self.vectors is None:
            return self.classes
        return tuple(dict.fromkeys(join(self.classes, bits) for bits in self.vectors.values()))

    def class_of(self, label: str) -> str | None:
        """The class of a label, in a multi-label task the names of its classes as `join` writes them.

        None for a label that the task cannot map (NCV in CL3, say), to be dropped with a count.
        """
        bits = self.vector_of(label)
        return None if bits is None else join(self.classes, bits)

    def vector_of(self, label: str) -> Bits | None:
        """A 0 or 1 for each class, from the nearest node at or above the label; None where there is none."""
        if self.vectors is None:
            found = next((name for name in self.classes if is_a(label, name)), None)
            return None if found is None else tuple(1 if name == found else 0 for name in self.classes)
        node: str | None = label
        while node is not None and node not in self.vectors:
            node = PARENT.get(node)
        return None if node is None else self.vectors[node]

    def label_of(self, label_set: str) -> str:
        """The first label of the task that has these classes: the way back from `class_of`."""
        return next(label for label in self.labels if self.class_of(label) == label_set)


def join(classes: Iterable[str], bits: Iterable[int]) -> str:
    """The names of the classes that are set, sorted and joined by '+'; `NO_CLASS` for none."""
    return "+".join(sorted(name for name, bit in zip(classes, bits, strict=True) if bit)) or NO_CLASS


TASKS: Mapping[str, Task] = {
    "CL2": Task(name="CL2", classes=("NCV", "CVP")),
    "CL3": Task(name="CL3", classes=("NOR", "NCP", "CVP")),
    "CL4": Task(name="CL4", classes=("NOR", "OBP", "OVP", "CVP")),
    "ML5": Task(
        name="ML5",
        classes=("Normal", "Pneumonia", "Virus", "Bacteria", "COVID"),
        vectors={"NOR": (1, 0, 0, 0, 0), "OVP": (0, 1, 1, 0, 0), "OBP": (0, 1, 0, 1, 0), "CVP": (0, 1, 1, 0, 1)},
    ),
}
