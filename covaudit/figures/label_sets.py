"""Label sets of multi-label tasks on an axis: 'COVID+Pneumonia+Virus' is too long for one."""

from collections.abc import Sequence
from typing import NamedTuple

from covaudit.figures.text import literal

_JOINT = "+"


class Names(NamedTuple):
    """Names for the ticks, literal text, and a line that explains them, empty where they need none."""

    ticks: tuple[str, ...]
    key: str


def axis_names(names: Sequence[str], limit: int = 12) -> Names:
    """Classes by their names; where some are label sets, each label by the fewest letters that tell it from the others:
    'C+P+V', and 'C COVID, P Pneumonia, V Virus' as the key."""
    if not are_sets(names):
        return Names(tuple(literal(name, limit) for name in names), "")
    labels = sorted({label for name in names for label in name.split(_JOINT)})
    short = {label: _beginning(label, labels) for label in labels}
    ticks = tuple(_JOINT.join(literal(short[label], limit) for label in name.split(_JOINT)) for name in names)
    return Names(ticks, ", ".join(f"{literal(short[label], limit)} {literal(label, 20)}" for label in labels))


def _beginning(label: str, labels: Sequence[str]) -> str:
    for end in range(1, len(label)):
        if sum(other.startswith(label[:end]) for other in labels) == 1:
            return label[:end]
    return label


def are_sets(names: Sequence[str]) -> bool:
    """Whether some of the names are label sets."""
    return any(_JOINT in name for name in names)
