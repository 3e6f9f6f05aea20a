"""The healthy chest of a patient, as attenuation: air near 0, lung about 0.25, soft tissue 0.5-0.7, bone on top."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from covaudit.sources.phantom.canvas import (
    Canvas,
    Layer,
    Mask,
    Points,
    blur,
    curve,
    mirror,
    random_stream,
    smoothstep,
)
from covaudit.sources.phantom.patient import Patient

SIDES = (-1, 1)  # the patient's right lies on the left of the image
HILUM = {-1: (-0.085, -0.035), 1: (0.085, -0.055)}

_CAGE_Y = np.array([-0.38, -0.35, -0.31, -0.25, -0.15, -0.03, 0.10, 0.22, 0.45])
_CAGE_X = np.array([0.06, 0.135, 0.185, 0.228, 0.272, 0.303, 0.322, 0.330, 0.325])
_VESSELS = ((0.080, 0.0090), (0.072, 0.0062), (0.062, 0.0044), (0.050, 0.0030))  # length and width by generation
_VERTEBRA = 0.045  # height of a vertebra with its disc


class Chest(NamedTuple):
    """Layers of one chest, all (H, W)."""

    attenuation: Layer  # what the detector measures, about 0..1
    lung_mask: Mask  # lung fields as seen: without heart, mediastinum and what the diaphragm hides
    vessels: Layer  # 0..1, inside the lungs
    air: Layer  # attenuation that the air in the lungs takes away: what a lesion can fill


def stand(patient: Patient, size: int) -> Canvas:
    """The canvas on which this patient stands."""
    return Canvas(size, patient.angle, patient.scale, patient.shift)


def cage_half_width(patient: Patient, y: Points | float) -> Points:
    """From the midline to the inside of the ribs at height y."""
    return np.asarray(np.interp(y, _CAGE_Y, _CAGE_X) * patient.width)


# The last one is kept: one patient on several machines, one after the other, is drawn once.
@lru_cache(maxsize=1)
def build_chest(patient: Patient, seed: int, size: int) -> Chest:
    """Adds the tissues up, from the body's outline to the smallest vessels. Read the layers, do not write them."""
    canvas = stand(patient, size)
    lungs = canvas.fill(*(_lung_outline(patient, side) for side in SIDES), soft=0.0025)
    middle = canvas.fill(_mediastinum_outline(patient), soft=0.003)
    field = lungs * (1.0 - middle)
    vessels = _vessels(canvas, random_stream(seed, "vessels")) * field
    air = _air(canvas, patient, lungs) * (1.0 - 0.90 * middle)

    attenuation = _body(canvas, patient)
    attenuation -= air
    attenuation += _heart(canvas, patient, middle)
    attenuation += (0.35 + 0.65 * lungs) * (1.0 - 0.7 * middle) * _ribs(canvas, patient)
    attenuation += _shoulder_girdle(canvas, patient)
    attenuation += 0.115 * vessels + _hila(canvas) * field
    attenuation -= _airways(canvas, patient)
    attenuation += _under_the_diaphragm(canvas, patient) * (1.0 - lungs)
    if patient.is_female:
        attenuation += _breasts(canvas, patient)
    attenuation += _mottle(canvas, random_stream(seed, "mottle"), field)
    _add_spine(attenuation, canvas, patient)
    return Chest(np.maximum(attenuation, 0.0), np.asarray(field > 0.25), vessels, air)


def whole_lungs(patient: Patient, size: int) -> Mask:
    """Both lungs (H, W) with what lies behind the heart: how annotators outline lungs on real films."""
    return np.asarray(stand(patient, size).fill(*(_lung_outline(patient, side) for side in SIDES)) > 0.5)


def _both_sides(line: Points, turn: float = 0.0) -> Points:
    """The line (k, 2) of the patient's left on both sides: (2, k, 2)."""
    return np.asarray(np.stack([mirror(line, side) for side in SIDES]) + np.array([turn, 0.0]))


def _around(half: Sequence[tuple[float, float]]) -> Points:
    """The outline of a shape whose left half runs from top to bottom."""
    right, left = _both_sides(curve(half))
    return np.concatenate([left, right[::-1]])


def _body(canvas: Canvas, patient: Patient) -> Layer:
    fat = 0.035 * patient.build
    torso = _around(
        [(0.0, -0.75), (0.078 + fat / 2, -0.75), (0.082 + fat / 2, -0.47), (0.13, -0.425), (0.26, -0.395),
         (0.39, -0.36), (0.44, -0.24), (0.40 + fat, -0.05), (0.385 + fat, 0.10), (0.39 + fat, 0.28),
         (0.40 + 1.3 * fat, 0.75)]
    )  # fmt: skip
    arm = curve(
        [(0.33, -0.36), (0.40, -0.27), (0.43, -0.14), (0.44 + fat, 0.0), (0.47 + fat, 0.2), (0.51 + fat, 0.5),
         (0.72 + fat, 0.5), (0.66 + fat, 0.1), (0.59 + fat, -0.17), (0.525 + fat, -0.32), (0.43, -0.375)], closed=True
    )  # fmt: skip
    trunk, limbs = canvas.fill(torso, soft=0.002), canvas.fill(*_both_sides(arm), soft=0.002)
    lower = smoothstep(canvas.axes()[1], -0.42, 0.24)
    thickness = 0.62 * canvas.dome(trunk > 0.5, 0.11) * (0.72 + 0.28 * lower)
    thickness += 0.38 * canvas.dome(limbs > 0.5, 0.07) * (1.0 - 0.65 * trunk)
    return (0.03 + (0.94 + 0.10 * patient.build) * blur(thickness, canvas.pixels(0.007))).astype(np.float32)


def _lung_outline(patient: Patient, side: int) -> Points:
    dome = patient.domes[0 if side < 0 else 1]
    angle_y = dome + 0.085  # the costophrenic angle
    heights = np.linspace(-0.305, angle_y, 9)
    wall = np.stack([cage_half_width(patient, heights), heights], axis=1)
    edge = wall[-1, 0]
    apex = curve([(0.04, -0.29), (0.06, -0.325), (0.10, -0.352), (0.145, -0.345), *map(tuple, wall[:2])])
    base = curve(
        [(edge, angle_y), (edge * 0.93, angle_y - 0.038), (edge * 0.80, dome + 0.016), (edge * 0.62, dome),
         (edge * 0.42, dome + 0.008), (edge * 0.24, dome + 0.035), (0.03, dome + 0.055)]
    )  # fmt: skip
    return mirror(np.concatenate([apex, wall[2:], base]), side)


def _mediastinum_outline(patient: Patient) -> Points:
    wide, floor = patient.heart, patient.domes[1]
    top = floor - 0.25  # the heart hangs from the great vessels and rests on the diaphragm
    left = [
        (0.05, -0.45), (0.047, -0.30), (0.052, -0.235), (0.076, -0.205), (0.083, -0.175), (0.070, -0.145),
        (0.063, -0.12), (0.074, top + 0.02), (0.088 * wide, top + 0.06), (0.132 * wide, top + 0.125),
        (0.178 * wide, top + 0.19), (0.197 * wide, top + 0.235), (0.185 * wide, top + 0.27), (0.12, floor + 0.10),
    ]  # fmt: skip
    right = [
        (-0.05, floor + 0.10), (-0.075 * wide, top + 0.25), (-0.098 * wide, top + 0.185), (-0.096 * wide, top + 0.12),
        (-0.078 * wide, top + 0.055), (-0.062, top), (-0.056, -0.18), (-0.052, -0.30), (-0.05, -0.45),
    ]  # fmt: skip
    return np.asarray(curve([*left, *right], closed=True) + np.array([patient.turn, 0.0]))


def _air(canvas: Canvas, patient: Patient, lungs: Layer) -> Layer:
    depth = blur(canvas.dome(lungs > 0.5, 0.075), canvas.pixels(0.003))
    amount = 0.47 - 0.06 * patient.build - 0.08 * smoothstep(canvas.axes()[1], 0.0, 0.28)
    return np.asarray(depth * lungs * amount, np.float32)


def _heart(canvas: Canvas, patient: Patient, middle: Layer) -> Layer:
    """Densest at its core; below the diaphragm it melts into the liver."""
    core = blur(canvas.dome(middle > 0.5, 0.13), canvas.pixels(0.012))
    _, y = canvas.axes()
    floor = patient.domes[1]
    above = 1.0 - 0.85 * smoothstep(y, floor - 0.02, floor + 0.09)
    return np.asarray((0.035 * middle + 0.085 * core * middle * smoothstep(y, -0.45, 0.0)) * above, np.float32)


def _ribs(canvas: Canvas, patient: Patient) -> Layer:
    """Ten pairs: thin and bright behind, broad and faint in front, where they end in cartilage."""
    from_spine = np.abs(canvas.axes()[0])
    layers = []
    for is_front, width, n in ((False, 0.0200, 10), (True, 0.0245, 7)):
        lines = np.concatenate([_both_sides(_rib(patient, number, is_front)) for number in range(n)])
        layers.append(canvas.strokes((lines, width, 1.0), (lines, width * 0.5, 0.66), soft=0.0032))
    back, front = layers
    return np.asarray(
        back * (0.105 + 0.03 * smoothstep(from_spine, 0.15, 0.3)) + front * 0.085 * smoothstep(from_spine, 0.09, 0.22)
    )


def _rib(patient: Patient, number: int, is_front: bool) -> Points:
    """One half of the loop that a rib makes: from the spine to the side, or from the side to the front."""
    spine_y = -0.365 + 0.0545 * number
    drop = patient.drop * (0.55 + 0.45 * min(1.0, number / 4))
    turn = np.pi * (np.linspace(0.5, 0.86, 9) if is_front else np.linspace(0.06, 0.53, 9))
    half_width = cage_half_width(patient, spine_y + 0.5 * drop) + 0.004
    along = 0.032 + (half_width - 0.032) * np.sin(turn) + (patient.turn if is_front else 0.0)
    return np.stack([along, spine_y + drop * 0.5 * (1.0 - np.cos(turn))], axis=1)


def _add_spine(attenuation: Layer, canvas: Canvas, patient: Patient) -> None:
    """Vertebral bodies, disc spaces, pedicles and spinous processes, added in place."""
    columns = canvas.columns(0.0, 0.075)
    x, y = canvas.grid(columns)
    phase = (y * (1 / _VERTEBRA)) % 1.0 - 0.5
    half = 0.034 + 0.010 * smoothstep(canvas.axes()[1], -0.3, 0.4)
    body = 1.0 / (1.0 + (x / half) ** 6)
    disc = 0.4 * np.exp(-(((np.abs(phase) - 0.5) / 0.12) ** 2))
    pedicle = 0.35 * np.exp(-(((np.abs(x) - 0.024) / 0.007) ** 2) - ((phase + 0.12) / 0.2) ** 2)
    process = 0.4 * np.exp(-(((x - 0.6 * patient.turn) / 0.006) ** 2) - ((phase - 0.15) / 0.22) ** 2)
    # Behind the heart and the liver less of it shows.
    shows = 1.0 - 0.45 * smoothstep(canvas.axes()[1], -0.2, 0.15)
    attenuation[:, columns] += 0.085 * shows * body * (1.0 - disc + pedicle + process)


def _shoulder_girdle(canvas: Canvas, patient: Patient) -> Layer:
    tilt, over, turn = patient.clavicle_tilt, 0.045 * patient.scapula, 0.6 * patient.turn
    clavicle = curve([(0.032, -0.262), (0.10, -0.285 - 0.2 * tilt), (0.19, -0.288 - 0.55 * tilt),
                      (0.28, -0.315 - 0.85 * tilt), (0.36, -0.31 - tilt)])  # fmt: skip
    blade = curve([(0.30 - over, -0.27), (0.275 - over, -0.16), (0.285 - over, -0.03), (0.315 - over, 0.02),
                   (0.335 - over, -0.02), (0.365, -0.14), (0.395, -0.22), (0.37, -0.27)], closed=True)  # fmt: skip
    humerus = curve([(0.405, -0.27), (0.43, -0.305), (0.475, -0.30), (0.49, -0.255), (0.50, -0.20), (0.535, -0.02),
                     (0.60, 0.3), (0.56, 0.3), (0.485, -0.02), (0.445, -0.18), (0.41, -0.225)],
                    closed=True)  # fmt: skip
    ridge = curve([(0.29 - over, -0.225), (0.35, -0.275), (0.42, -0.325)])
    clavicles, blades, humeri, ridges = (_both_sides(line, turn) for line in (clavicle, blade, humerus, ridge))
    bone = 0.15 * canvas.strokes((clavicles, 0.027, 1.0), (clavicles, 0.014, 0.62), soft=0.004)
    bone += canvas.fill(*blades, soft=0.005) * 0.05 + canvas.fill(*humeri, soft=0.005) * 0.10
    edges = ((_closed(blades), 0.007, 0.5), (ridges, 0.017, 0.75), (_closed(humeri), 0.009, 0.6))
    return bone + 0.085 * canvas.strokes(*edges, soft=0.004)


def _closed(lines: Points) -> Points:
    return np.concatenate([lines, lines[:, :1]], axis=1)


def _vessels(canvas: Canvas, rng: np.random.Generator) -> Layer:
    """Two trees that taper and fade from the hila outwards, the finest drawn first."""
    trees = [_vessel_tree(side, rng) for side in SIDES]
    groups = [
        (np.concatenate([tree[i] for tree in trees]), width, 1.0 - 0.15 * i) for i, (_, width) in enumerate(_VESSELS)
    ]
    return canvas.strokes(*reversed(groups), soft=0.0026)


def _vessel_tree(side: int, rng: np.random.Generator) -> list[Points]:
    """By generation, (n, 6, 2) lines; each forks at its end and once on the way."""
    n = 9
    starts = np.tile(HILUM[side], (n, 1)) + rng.normal(0.0, [0.006, 0.02], (n, 2))
    fan = np.linspace(-1.35, 1.25, n) + rng.normal(0.0, 0.1, n)
    headings = fan if side > 0 else np.pi - fan
    generations = []
    for length, _ in _VESSELS:
        bend = rng.normal(0.0, 0.35, len(starts))
        hop = length / 5 * rng.uniform(0.7, 1.3, len(starts))
        turning = headings[:, None] + bend[:, None] * np.linspace(-0.5, 0.5, 6)
        hops = np.stack([np.cos(turning), np.sin(turning)], axis=2) * hop[:, None, None]
        hops[:, 0] = 0.0
        lines = starts[:, None] + np.cumsum(hops, axis=1)
        generations.append(lines)
        spread = rng.uniform(0.15, 0.6, (2, len(starts))) * np.array([[-1.0], [1.0]])
        starts = np.concatenate([lines[:, -1], lines[:, rng.integers(3, 6)]])
        headings = np.concatenate([headings + bend / 2 + spread[0], headings + bend / 2 + spread[1]])
    return generations


def _hila(canvas: Canvas) -> Layer:
    right, left = (canvas.blob(HILUM[side], (0.030, 0.055)) for side in SIDES)
    return 0.12 * (right + left)


def _airways(canvas: Canvas, patient: Patient) -> Layer:
    turn = 0.5 * patient.turn
    trachea = np.array([[(turn, -0.60), (turn, -0.40), (turn - 0.004, -0.2), (turn - 0.006, -0.125)]])
    bronchi = np.array([[(turn - 0.008, -0.128), (-0.045, -0.075)], [(turn - 0.004, -0.128), (0.055, -0.085)]])
    return 0.16 * canvas.strokes((trachea, 0.034, 1.0), (bronchi, 0.022, 0.75), soft=0.005)


def _under_the_diaphragm(canvas: Canvas, patient: Patient) -> Layer:
    """The liver on the right, and often air in the stomach on the left."""
    x, y = canvas.axes()
    liver = 0.05 * smoothstep(x, 0.1, -0.15) * smoothstep(y, patient.domes[0], patient.domes[0] + 0.1)
    if not patient.has_bubble:
        return np.asarray(liver, np.float32)
    top = patient.domes[1] + 0.028
    bubble = curve([(0.12, top + 0.045), (0.15, top + 0.012), (0.20, top), (0.245, top + 0.02), (0.25, top + 0.06),
                    (0.19, top + 0.085)], closed=True)  # fmt: skip
    return np.asarray(liver - 0.14 * canvas.fill(bubble, soft=0.008) * smoothstep(y, top + 0.10, top + 0.02))


def _breasts(canvas: Canvas, patient: Patient) -> Layer:
    low = 0.16 + 0.05 * patient.build
    outline = curve([(0.07, 0.02), (0.20, -0.06), (0.34, -0.02), (0.375, 0.08), (0.33, low), (0.22, low + 0.03),
                     (0.11, low - 0.02)], closed=True)  # fmt: skip
    inside = canvas.fill(*_both_sides(outline), soft=0.004) > 0.5
    return (0.04 + 0.05 * patient.build) * blur(canvas.dome(inside, 0.12), canvas.pixels(0.008))


def _mottle(canvas: Canvas, rng: np.random.Generator, field: Layer) -> Layer:
    """Unevenness of tissue: broad everywhere, fine where the lung's smallest vessels overlap."""
    broad = 0.012 * canvas.clouds(rng, 7) + 0.006 * canvas.clouds(rng, 20)
    return np.asarray(broad + 0.014 * field * canvas.clouds(rng, 52), np.float32)
