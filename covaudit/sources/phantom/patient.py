"""Who is on the film: build, pose and view of a made-up patient, from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass

from covaudit.sources.phantom.canvas import random_stream


@dataclass(frozen=True)
class Patient:
    """Lengths in image widths, at scale 1."""

    view: str  # 'PA' or 'AP'
    is_female: bool
    build: float  # 0 lean .. 1 heavy
    width: float  # of the rib cage, 1 is average
    heart: float  # width of the heart, 1 is average on a PA film
    domes: tuple[float, float]  # y of the diaphragm, patient's right and left
    drop: float  # how far a rib falls from the spine to the breast bone
    clavicle_tilt: float  # how much higher the outer end of the clavicle lies
    scapula: float  # how far the scapula lies over the lung
    turn: float  # sideways shift of front structures: the patient stands a little rotated
    has_bubble: bool  # air in the stomach
    angle: float  # radians, in the image plane
    scale: float
    shift: tuple[float, float]


def make_patient(seed: int) -> Patient:
    """The patient of a seed; the label plays no part."""
    rng = random_stream(seed, "patient")
    is_ap = bool(rng.random() < 0.4)
    right_dome = rng.normal(0.165, 0.022) - (0.035 if is_ap else 0.0)
    return Patient(
        view="AP" if is_ap else "PA",
        is_female=bool(rng.random() < 0.5),
        build=float(rng.beta(2.0, 2.5)),
        width=float(rng.normal(1.0, 0.04)),
        heart=float(rng.normal(1.16 if is_ap else 1.0, 0.07)),
        domes=(float(right_dome), float(right_dome + rng.uniform(0.008, 0.032))),
        drop=float(rng.normal(0.165, 0.014) + (0.02 if is_ap else 0.0)),
        clavicle_tilt=float(rng.normal(0.015 if is_ap else 0.055, 0.016)),
        scapula=float(rng.uniform(0.5, 1.0) if is_ap else rng.uniform(0.0, 0.3)),
        turn=float(rng.normal(0.0, 0.006)),
        has_bubble=bool(rng.random() < 0.6),
        angle=float(rng.normal(0.0, 0.022)),
        scale=float(rng.uniform(1.08, 1.22)),
        shift=(float(rng.normal(0.0, 0.012)), float(rng.normal(0.025, 0.012))),
    )
