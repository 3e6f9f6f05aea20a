"""An experiment with a few fields changed, each by its path and in words that YAML reads: training.epochs=3."""

from collections.abc import Iterable
from typing import Any

import yaml

from covaudit.domain.experiment import Experiment
from covaudit.errors import BadExperiment, UnknownName, clip

_NAME_LIMIT = 80
_CHANGED = "; changed: "


def with_values(experiment: Experiment, changes: Iterable[str]) -> Experiment:
    """The experiment with changes such as `training.pretrained=none`, `split.folds=3` or `train.0.limit=100`.

    Its name tells the fields that were changed, unless a change names it: what was changed is no longer as printed.
    Raises `BadExperiment`, and `UnknownName` for a path that leads nowhere.
    """
    plain = experiment.model_dump(mode="json")
    for change in changes:
        path, given, value = change.partition("=")
        if not given:
            raise BadExperiment(
                f"The change came as '{clip(change)}'. Write it as FIELD=VALUE, such as training.epochs=3."
            )
        _put(plain, path.strip(), _read(path, value))
    changed = Experiment.from_plain(plain)
    is_named = changed.name != experiment.name
    return changed if is_named else changed.model_copy(update={"name": _title(experiment, changed)})


def _put(plain: Any, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        plain = plain[_key(plain, name, path)]
    plain[_key(plain, last, path, is_last=True)] = value


def _key(plain: Any, name: str, path: str, is_last: bool = False) -> Any:
    """The key of a mapping or the place in a list. Caps by class and source are the mappings that take new keys."""
    if isinstance(plain, list) and name.isdecimal() and int(name) < len(plain):
        return int(name)
    if isinstance(plain, dict) and (name in plain or (is_last and path.startswith("sampling.per_"))):
        return name
    if not isinstance(plain, dict | list):
        raise BadExperiment(f"There is no field '{clip(path)}': what comes before '{clip(name)}' is a single value.")
    allowed = plain if isinstance(plain, dict) else map(str, range(len(plain)))
    raise UnknownName("field", name, allowed, f"It came in '{clip(path)}'.")


def _read(path: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadExperiment(f"The value of {clip(path)} is not YAML: {clip(value)}. Put it in quotes.") from error


def _title(then: Experiment, now: Experiment) -> str:
    names = [
        name
        for part in (then, then.training)
        for name in type(part).model_fields
        if name != "training" and getattr(part, name) != getattr(now if part is then else now.training, name)
    ]
    title, _, before = then.name.partition(_CHANGED)
    words = dict.fromkeys([*filter(None, before.split(", ")), *(name.replace("_", " ") for name in names)])
    return clip(f"{title}{_CHANGED}{', '.join(words)}", _NAME_LIMIT) if names else then.name
