"""Opacities of the lungs by label. They add attenuation inside the lung fields and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from covaudit.sources.phantom.anatomy import HILUM, SIDES, Chest, cage_half_width
from covaudit.sources.phantom.canvas import Canvas, Layer, Mask, random_stream, smoothstep
from covaudit.sources.phantom.patient import Patient


class Scene(NamedTuple):
    """What a pattern needs to know of the chest it grows in."""

    canvas: Canvas
    patient: Patient
    chest: Chest


@dataclass(frozen=True)
class Pattern:
    """How a label looks."""

    grow: Callable[[Scene, np.random.Generator, float], Layer]  # (scene, stream, extent) -> opacity, about 0..1
    contrast: float  # share of the lung's air that full opacity replaces
    extent: float = 1.0  # size of the lesions, 1 as drawn


class Lesions(NamedTuple):
    attenuation: Layer  # (H, W), to add; 0 outside the mask
    mask: Mask  # (H, W)


def add_lesions(label: str, scene: Scene, seed: int, severity: float) -> Lesions:
    """The opacities of a label; NOR has none. Severity 1 is the pattern as set; it scales contrast, and extent less."""
    pattern = PATTERNS.get(label)
    if pattern is None or severity <= 0:
        return Lesions(np.zeros_like(scene.chest.attenuation), np.zeros_like(scene.chest.lung_mask))
    rng = random_stream(seed, "disease", label)
    opacity = pattern.grow(scene, rng, pattern.extent * severity**0.3)
    # A faint skirt would make every lesion as large as the lung: cut it off, and start from 0 there.
    opacity = np.clip((opacity - 0.12) / 0.88, 0.0, 1.0) * scene.chest.lung_mask
    # Replacing air, and no more than there is, keeps the outline of the lung free of bright or dark rims.
    filled = min(1.0, pattern.contrast * severity) * opacity * scene.chest.air
    return Lesions(np.asarray(filled, np.float32), np.asarray(opacity > 0.0))


def _lace(canvas: Canvas, rng: np.random.Generator, cells: int) -> Layer:
    """Thin bright lines round dark meshes, 0..1: where smooth noise changes its sign."""
    return np.asarray(np.exp(-((canvas.clouds(rng, cells) / 0.28) ** 2)), np.float32)


def _ground_glass(scene: Scene, rng: np.random.Generator, extent: float) -> Layer:
    """Patches on both sides, along the chest wall, more below than above."""
    total = np.zeros_like(scene.chest.attenuation)
    lowest = max(scene.patient.domes) - 0.02
    for side in SIDES:
        for _ in range(int(rng.integers(3, 6))):
            height = lowest - 0.30 * rng.beta(1.2, 2.2)
            inwards = rng.uniform(0.035, 0.085)
            centre = (side * float(cage_half_width(scene.patient, height) - inwards), float(height))
            radius = extent * rng.uniform(0.040, 0.072)
            strength = rng.uniform(0.65, 1.0)
            total += strength * scene.canvas.blob(centre, (radius, radius * rng.uniform(0.9, 1.5)))
    ragged = 0.82 + 0.32 * scene.canvas.clouds(rng, 22)
    paving = 0.90 + 0.15 * _lace(scene.canvas, rng, 70)
    return np.asarray(np.minimum(total, 1.0) * ragged * paving, np.float32)


def _interstitial(scene: Scene, rng: np.random.Generator, extent: float) -> Layer:
    """A haze with fine lines on both sides, fading from the hila outwards."""
    radius = 0.15 * extent
    haze = sum(
        rng.uniform(0.8, 1.0) * scene.canvas.blob((hx * 1.5, hy + 0.03), (radius, 1.35 * radius))
        for hx, hy in (HILUM[side] for side in SIDES)
    )
    lines = _lace(scene.canvas, rng, 58) + _lace(scene.canvas, rng, 84)
    return np.asarray(haze * (0.50 + 0.25 * lines + 0.2 * scene.canvas.clouds(rng, 14)), np.float32)


def _consolidation(scene: Scene, rng: np.random.Generator, extent: float) -> Layer:
    """One lobe or segment of one lung, dense, with a straight edge where the fissure holds it, and air bronchograms."""
    side = int(rng.choice(SIDES))
    is_upper = bool(rng.random() < 0.4)
    height = rng.uniform(-0.22, -0.14) if is_upper else scene.patient.domes[max(side, 0)] - rng.uniform(0.06, 0.12)
    across = side * float(cage_half_width(scene.patient, height)) * rng.uniform(0.5, 0.72)
    radius = extent * rng.uniform(0.085, 0.115)
    mass = scene.canvas.blob((across, float(height)), (1.15 * radius, radius))
    slope = rng.normal(0.0, 0.25)
    fissure = height + (0.5 if is_upper else -0.5) * radius
    x, y = scene.canvas.axes()
    beyond = y - fissure - slope * (x - across)
    held = smoothstep(beyond, 0.012, -0.012) if is_upper else smoothstep(beyond, -0.012, 0.012)
    fluffy = 1.15 + 0.25 * scene.canvas.clouds(rng, 18)
    return np.asarray(np.minimum(1.5 * mass, 1.0) * fluffy * (0.25 + 0.75 * held) * (1.0 - 0.5 * scene.chest.vessels))


PATTERNS: Mapping[str, Pattern] = {
    "OBP": Pattern(_consolidation, contrast=0.80),
    "OVP": Pattern(_interstitial, contrast=0.60),
    "CVP": Pattern(_ground_glass, contrast=0.66, extent=1.1),
}
