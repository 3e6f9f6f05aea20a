"""The experiment that is being composed: what the widgets of Compose start from, and what they hold now."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from covaudit.domain.experiment import Experiment, Explanation, Training
from covaudit.domain.mixture import Mixture
from covaudit.domain.presets import DEMO, PRESETS
from covaudit.domain.split import Sampling, Split
from covaudit.domain.task import TASKS, Task

_EMPTY = Mixture(())
_BASE = "compose_base"
_DRAFT = "compose_draft"
_VERSION = "compose_version"


@dataclass(frozen=True)
class Draft:
    """An experiment that need not be valid yet."""

    name: str = "My experiment"
    task: Task = TASKS["CL2"]
    train: Mixture = _EMPTY
    test: Mixture = _EMPTY
    split: Split = field(default_factory=Split)
    network: str = "resnet18"
    training: Training = field(default_factory=Training)
    explanation: Explanation = field(default_factory=Explanation)
    seed: int = 0
    notes: str = ""
    acknowledged: str = ""
    sampling: Sampling = field(default_factory=Sampling)

    @classmethod
    def of(cls, experiment: Experiment) -> "Draft":
        return cls(**{name: getattr(experiment, name) for name in cls.__dataclass_fields__})

    def to_experiment(self) -> Experiment:
        """Raises `BadExperiment` or `UnknownName` with the sentence to show."""
        return Experiment.from_plain({name: _plain(getattr(self, name)) for name in self.__dataclass_fields__})


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def base() -> Draft:
    """What the widgets were made from; stays the same until `start_from`, so that no widget loses an edit."""
    if _BASE not in st.session_state:
        start_from(Draft.of(PRESETS[DEMO[0]]))
    return st.session_state[_BASE]  # type: ignore[no-any-return]


def current() -> Draft:
    """What the widgets held when the page was last drawn."""
    found: Draft = st.session_state.get(_DRAFT, base())
    return found


def start_from(draft: Draft) -> None:
    """Make all widgets anew from another draft."""
    st.session_state[_BASE] = st.session_state[_DRAFT] = draft
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def change(values: Mapping[str, Any]) -> None:
    """Make all widgets anew from what they hold, with some fields changed."""
    start_from(replace(current(), **values))


def keep(draft: Draft) -> None:
    """Remember what the widgets hold, for coming back to the page."""
    st.session_state[_DRAFT] = draft


def key(name: str) -> str:
    """The key of a widget of the present draft; another draft has other keys."""
    return f"compose_{name}_{st.session_state.get(_VERSION, 0)}"


def resume() -> None:
    """After the page was left its widgets are gone: make them anew from what they held."""
    base()
    if key("name") not in st.session_state:
        start_from(current())
