"""What is asked: a task, two mixtures, a split, a network, a training protocol and a seed. YAML in and out."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from covaudit.domain.explanation import METHOD_CARDS
from covaudit.domain.labels import is_a
from covaudit.domain.mixture import Mixture
from covaudit.domain.split import Sampling
from covaudit.domain.split import Split as Split
from covaudit.domain.task import Task
from covaudit.domain.training import Training as Training
from covaudit.domain.training import later_defaults
from covaudit.errors import BadExperiment, UnknownName, clip

_FROZEN = ConfigDict(frozen=True, extra="forbid")

HEAT_METHODS: Mapping[str, str] = {name: METHOD_CARDS[name].title for name in ("hires-cam", "grad-cam")}


class Explanation(BaseModel):
    """How heat maps are drawn.

    `grad-cam` weighs each channel by the mean of its gradient (Selvaraju et al. 2017). `hires-cam` keeps the gradient
    where it is (Draelos and Carin 2020): the same map where a global average pool follows the layer, and at an earlier
    layer, which small images need for a map that is fine enough, the one that stays true to the network.
    """

    model_config = _FROZEN

    method: Literal["hires-cam", "grad-cam"] = "hires-cam"


# Fields that came later are left out of the id where they hold their default: ids stay what they were.
_LATER: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("acknowledged",), ""),
    (("sampling",), Sampling().model_dump(mode="json")),
    (("repeat_of",), ""),
    (("split", "folds"), 1),
    (("task", "vectors"), None),
    *((("training", name), default) for name, default in later_defaults().items()),
)


def _leave_out(plain: dict[str, Any], names: tuple[str, ...], default: Any) -> None:
    *outer, last = names
    for name in outer:
        plain = plain[name]
    if plain.get(last) == default:
        plain.pop(last, None)


class Experiment(BaseModel):
    """One question put to one network. `train` is split into train, val and internal; `test` is the external test."""

    model_config = _FROZEN

    name: str = Field(min_length=1, max_length=80)
    task: Task
    train: Mixture
    test: Mixture = Mixture(())
    sampling: Sampling = Sampling()
    split: Split = Split()
    network: str = "resnet18"
    training: Training = Training()
    explanation: Explanation = Explanation()
    seed: int = Field(default=0, ge=0, lt=2**31)
    notes: str = Field(default="", max_length=4000)
    acknowledged: str = Field(default="", max_length=2000)
    """Why patients or images on both sides of the split are accepted, in the person's own words."""
    repeat_of: str = Field(default="", pattern=r"^([0-9a-f]{12})?$")
    """The id of the run that this one repeats, to see whether the same comes out."""

    @model_validator(mode="after")
    def _labels_fit_the_task(self) -> Self:
        if not self.train:
            raise ValueError("the train mixture is empty; give at least one component {source, label}")
        for component in (*self.train.components(), *self.test.components()):
            if not self._touches_a_class(component.label):
                raise UnknownName(
                    "class", component.label, self.task.labels, f"Task {self.task.name} has no such class or label."
                )
        reference = self.training.preparation.match_source
        if reference and reference not in self.train.sources():
            raise ValueError(f"training.preparation.match_source: the train mixture draws nothing from '{reference}'")
        missing = [name for name in self.task.classes if not self._is_drawn(name)]
        if missing:
            raise ValueError(
                f"no component of the train mixture draws class {', '.join(missing)}; add one, or choose another task"
            )
        return self

    @model_validator(mode="after")
    def _caps_name_what_is_drawn(self) -> Self:
        for name in self.sampling.per_class:
            if name not in self.task.label_sets:
                raise UnknownName("class", name, self.task.label_sets, "sampling.per_class caps a class of the task.")
        for name in self.sampling.per_source:
            if name not in self.train.sources():
                cure = "sampling.per_source caps a source of the train mixture."
                raise UnknownName("source", name, self.train.sources(), cure)
        return self

    @model_validator(mode="after")
    def _sources_fit_the_split(self) -> Self:
        method, train, test = self.split.method, self.train.sources(), self.test.sources()
        if method == "independent" and not test:
            raise ValueError("the split 'independent' has no internal test; give a test mixture from other sources")
        both = [source for source in test if source in train]
        if method == "independent" and both:
            raise ValueError(f"the split 'independent' tests on other sources only; {both[0]} is in both mixtures")
        if method == "leave-one-source-out" and len(train) < 2:
            raise ValueError("the split 'leave-one-source-out' needs two sources or more in the train mixture")
        if method == "leave-one-source-out" and test:
            raise ValueError("the split 'leave-one-source-out' takes its test from the train mixture; leave test empty")
        return self

    @property
    def n_folds(self) -> int:
        """How many networks are trained."""
        held_out = self.split.method == "leave-one-source-out"
        return len(self.train.sources()) if held_out else self.split.folds

    def held_out(self, fold: int) -> str | None:
        """The source of the train mixture that is the external test of a fold, where the split takes one."""
        return self.train.sources()[fold] if self.split.method == "leave-one-source-out" else None

    def _touches_a_class(self, label: str) -> bool:
        return any(is_a(label, name) or is_a(name, label) for name in self.task.labels)

    def _is_drawn(self, class_name: str) -> bool:
        place = self.task.classes.index(class_name)
        labels = [label for label in self.task.labels if (self.task.vector_of(label) or ())[place]]
        drawn = [component.label for component in self.train.components()]
        return any(is_a(one, label) or is_a(label, one) for one in drawn for label in labels)

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the canonical JSON: the same question has the same id."""
        return id_of(self.canonical_json())

    def canonical_json(self) -> str:
        """JSON with sorted keys and no spaces; what the id is made from."""
        plain = self.model_dump(mode="json")
        for names, default in _LATER:
            _leave_out(plain, names, default)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def to_yaml(self) -> str:
        """YAML that `from_yaml` reads back to an equal experiment, with every field that matters spelled out."""
        plain = self.model_dump(mode="json", exclude_none=True)
        plain["task"] = self.task.name if self._has_named_task() else plain["task"]
        plain["training"] = self.training.to_plain()
        plain["sampling"] = [] if self.sampling == Sampling() else plain["sampling"]
        plain = {key: value for key, value in plain.items() if value not in ("", [])}
        return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))

    def _has_named_task(self) -> bool:
        try:
            return Task.model_validate(self.task.name) == self.task
        except UnknownName:
            return False

    @classmethod
    def from_yaml(cls, text: str) -> "Experiment":
        """Read an experiment. Raises `CovauditError` with one sentence for each key that is wrong."""
        try:
            plain = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" near line {mark.line + 1}" if mark else ""
            raise BadExperiment(
                f"This is not YAML{where}. Start from 'python -m covaudit presets show demo-single'."
            ) from error
        if not isinstance(plain, dict):
            raise BadExperiment(
                f"An experiment is a mapping with name, task and train; this is {type(plain).__name__}."
            )
        return cls.from_plain(plain)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Experiment":
        """Like `from_yaml`, from plain dicts and lists."""
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            raise BadExperiment(explain_validation(error)) from error


def id_of(canonical: str) -> str:
    """The id of an experiment from its canonical JSON."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def explain_validation(error: ValidationError) -> str:
    """Pydantic's errors as sentences that name the key, what came and what is allowed."""
    sentences = []
    for item in error.errors(include_url=False)[:8]:
        key = ".".join(str(part) for part in item["loc"]) or "experiment"
        came = f" (came: {clip(item['input'])})" if isinstance(item["input"], str | int | float | bool) else ""
        sentences.append(f"{key}: {item['msg'].removeprefix('Value error, ')}{came}.")
    return " ".join(sentences)
