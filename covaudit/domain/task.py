"""A task: which labels make which class. CL2, CL3 and CL4 are paper 1's (CVR-Net, section 4.1)."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from covaudit.domain.labels import is_a
from covaudit.errors import UnknownName


class Task(BaseModel):
    """Classes to be told apart. A class is a node of the label tree and takes every label at or below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=40)
    classes: tuple[str, ...] = Field(min_length=2, max_length=20)

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

    def class_of(self, label: str) -> str | None:
        """The class of a label; None for one that the task cannot map (NCV in CL3, say), to be dropped with a count."""
        return next((name for name in self.classes if is_a(label, name)), None)


TASKS: Mapping[str, Task] = {
    "CL2": Task(name="CL2", classes=("NCV", "CVP")),
    "CL3": Task(name="CL3", classes=("NOR", "NCP", "CVP")),
    "CL4": Task(name="CL4", classes=("NOR", "OBP", "OVP", "CVP")),
}
