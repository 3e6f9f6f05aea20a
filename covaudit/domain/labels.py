"""The labels of both papers as one tree.

An image carries its most specific label. `NCP` on an image means a pneumonia other than COVID-19 of unstated cause;
`NCV` means not COVID-19, nothing more known. A source of the user's own may use any other label, a leaf of its own.
"""

from collections.abc import Mapping

PARENT: Mapping[str, str] = {"OVP": "NCP", "OBP": "NCP", "NOR": "NCV", "NCP": "NCV"}

TITLES: Mapping[str, str] = {
    "NOR": "Normal",
    "OBP": "Other bacterial pneumonia",
    "OVP": "Other viral pneumonia",
    "NCP": "Non-COVID pneumonia",
    "NCV": "Non-COVID",
    "CVP": "COVID-19 pneumonia",
}


def is_a(label: str, ancestor: str) -> bool:
    """Whether `label` is `ancestor` or lies below it, e.g. OBP is a NCP and a NCV."""
    node: str | None = label
    while node is not None:
        if node == ancestor:
            return True
        node = PARENT.get(node)
    return False
