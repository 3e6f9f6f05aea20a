"""Made-up frontal chest radiographs, drawn on demand from a seed: known disease, known shortcuts, no files.

Anatomy and disease depend on (label, seed) alone, and the label on the lesions alone. What the machine adds depends on
the style and on streams of its own, so the same patient can be seen on two machines, or with one part of one swapped.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from covaudit.sources.phantom.anatomy import build_chest, stand
from covaudit.sources.phantom.disease import PATTERNS, Lesions, Pattern, Scene, add_lesions
from covaudit.sources.phantom.patient import make_patient
from covaudit.sources.phantom.style import (
    STYLE_PARTS,
    STYLES,
    Border,
    Box,
    Marker,
    Style,
    Text,
    Texture,
    Tone,
    expose,
    swap_part,
)

__all__ = [
    "LABELS",
    "PATTERNS",
    "STYLES",
    "STYLE_PARTS",
    "Border",
    "Box",
    "Marker",
    "Pattern",
    "Phantom",
    "Style",
    "Text",
    "Texture",
    "Tone",
    "render",
    "swap_part",
]

LABELS = ("NOR", "OBP", "OVP", "CVP")


class Phantom(NamedTuple):
    """One film and the truth about it."""

    image: npt.NDArray[np.uint8]  # (H, W)
    lung_mask: npt.NDArray[np.bool_]  # (H, W)
    lesion_mask: npt.NDArray[np.bool_]  # (H, W), inside the lungs; empty for NOR
    marker_boxes: tuple[Box, ...]  # marker, then text, where the style has them
    border_box: Box  # the exposed field
    patient: str
    view: str  # 'PA' or 'AP'


def render(label: str, seed: int, style: Style, size: int = 256, severity: float = 1.0) -> Phantom:
    """Draws patient `seed` with the disease of `label`, taken on the machine of `style`, `size` pixels square."""
    if label not in LABELS:
        raise ValueError(f"No phantom has the label {label!r}. Use one of: {', '.join(LABELS)}.")
    patient = make_patient(seed)
    chest = build_chest(patient, seed, size)
    lesions = _lesions_of(label, seed, size, severity)
    film = expose(chest.attenuation + lesions.attenuation, style, seed)
    return Phantom(
        image=film.image,
        lung_mask=chest.lung_mask,
        lesion_mask=lesions.mask,
        marker_boxes=film.boxes,
        border_box=film.field,
        patient=f"phantom-{seed}",
        view=patient.view,
    )


@lru_cache(maxsize=1)
def _lesions_of(label: str, seed: int, size: int, severity: float) -> Lesions:
    """Kept for the same patient on another machine, as the chest is."""
    patient = make_patient(seed)
    scene = Scene(stand(patient, size), patient, build_chest(patient, seed, size))
    return add_lesions(label, scene, seed, severity)
