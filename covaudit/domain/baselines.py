"""What may answer without having learnt the disease, by the names that its estimates carry."""

from collections.abc import Mapping
from typing import Final

BASELINES: Final[Mapping[str, str]] = {
    "majority": "Always the most frequent class",
    "source": "The source's name alone",
    "metadata": "Metadata alone: size, format, brightness, sex, age, view",
    "thumbnail": "A thumbnail of 16 × 16 pixels",
}
"""Name -> what it looks at."""

LEAD: Final = "lead: "
"""Before a metric's name: the network's value minus the baseline's, on the same images."""
