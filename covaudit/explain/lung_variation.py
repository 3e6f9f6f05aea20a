"""Random changes of an example for the lung network: wider than those of a classifier, for it must find lungs anywhere.

Pose, exposure, sharpness, opacities inside the lungs, frames and letters; the mask moves with the film.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.explain.lung_examples import Example

Bytes = NDArray[np.uint8]
Layer = NDArray[np.floating]


def vary(example: Example, size: int, draws: np.random.Generator) -> Example:
    """Another look at an example, at (size, size)."""
    pixels, mask = _move(example.pixels, example.mask, size, draws)
    grey: Layer = pixels.astype(np.float32) / 255
    if mask is not None and mask.any() and draws.random() < 0.4:
        grey = _cloud(grey, mask, draws)
    grey = _expose(grey, draws)
    if draws.random() < 0.3:
        grey = _frame(grey, draws)
    film = np.asarray(np.rint(np.clip(grey, 0, 1) * 255), np.uint8)
    return example._replace(pixels=_letters(film, draws) if draws.random() < 0.4 else film, mask=mask)


def _move(
    pixels: Bytes, mask: NDArray[np.bool_] | None, size: int, draws: np.random.Generator
) -> tuple[Bytes, NDArray[np.bool_] | None]:
    """Turned, zoomed, stretched, shifted, mirrored and bent a little."""
    side = pixels.shape[0]
    zoom = size / side * np.exp(draws.uniform(-0.3, 0.3))
    stretch = np.exp(draws.uniform(-0.15, 0.15))
    turn = np.radians(draws.normal(0, 6))
    mirror = -1.0 if draws.random() < 0.3 else 1.0
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.diag([mirror * zoom * stretch, zoom / stretch])
    centre = size / 2 + draws.normal(0, 0.05, 2) * size
    moved = np.column_stack([matrix, centre - matrix @ np.full(2, side / 2)])
    edge = cv2.BORDER_REPLICATE if draws.random() < 0.5 else cv2.BORDER_CONSTANT
    level = float(draws.choice([0, 0, 255, int(draws.integers(256))]))
    grey = cv2.warpAffine(pixels, moved, (size, size), flags=cv2.INTER_AREA, borderMode=edge, borderValue=level)
    lungs = None if mask is None else cv2.warpAffine(mask.astype(np.uint8) * 255, moved, (size, size))
    if draws.random() < 0.4:
        bend = _smooth(draws, size, 4, 0.02 * size), _smooth(draws, size, 4, 0.02 * size)
        columns, rows = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
        grey = cv2.remap(grey, columns + bend[0], rows + bend[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lungs = None if lungs is None else cv2.remap(lungs, columns + bend[0], rows + bend[1], cv2.INTER_LINEAR)
    return np.asarray(grey, np.uint8), None if lungs is None else np.asarray(lungs > 127)


def _smooth(draws: np.random.Generator, size: int, cells: int, spread: float) -> Layer:
    coarse = draws.normal(0, spread, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _cloud(grey: Layer, mask: NDArray[np.bool_], draws: np.random.Generator) -> Layer:
    """Opacities that whiten part of a lung: an annotator still counts it as lung."""
    size = len(grey)
    columns, rows = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    places = np.argwhere(mask)
    for _ in range(int(draws.integers(1, 4))):
        y, x = places[draws.integers(len(places))]
        radius = size * draws.uniform(0.04, 0.18)
        hill = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2))
        grey = grey + draws.uniform(0.2, 0.8) * hill * mask * (draws.uniform(0.6, 0.95) - grey)
    return np.asarray(grey, np.float32)


def _expose(grey: Layer, draws: np.random.Generator) -> Layer:
    if draws.random() < 0.05:
        grey = 1 - grey
    if draws.random() < 0.2:
        limit = float(draws.uniform(1, 4))
        equalised = cv2.createCLAHE(limit, (8, 8)).apply(np.asarray(np.clip(grey, 0, 1) * 255, np.uint8))
        grey = equalised.astype(np.float32) / 255
    grey = np.clip(grey, 0, 1) ** np.exp(draws.uniform(-0.7, 0.7))
    if draws.random() < 0.3:
        grey = grey + _smooth(draws, len(grey), 2, 0.12)
    if draws.random() < 0.3:
        grey = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), float(draws.uniform(0.4, 1.6))))
    if draws.random() < 0.5:
        grey = grey + draws.normal(0, draws.uniform(0, 0.06), grey.shape)
    return np.asarray((grey - 0.5) * draws.uniform(0.6, 1.3) + 0.5 + draws.uniform(-0.15, 0.15), np.float32)


def _frame(grey: Layer, draws: np.random.Generator) -> Layer:
    framed, level = grey.copy(), float(draws.choice([0.0, 0.0, 1.0, draws.random()]))
    left, top, right, bottom = (draws.uniform(0, 0.08, 4) * (draws.random(4) < 0.6) * len(grey)).astype(int)
    framed[:top], framed[len(grey) - bottom :] = level, level
    framed[:, :left], framed[:, len(grey) - right :] = level, level
    return framed


def _letters(film: Bytes, draws: np.random.Generator) -> Bytes:
    written, size = np.ascontiguousarray(film), len(film)
    for _ in range(int(draws.integers(1, 4))):
        words = "".join(draws.choice(list("ABCDLRPA1234567890"), int(draws.integers(1, 9))))
        height = draws.uniform(0.04, 0.2) if draws.random() < 0.5 else draws.uniform(0.8, 1)
        place = int(draws.uniform(0, 0.85) * size), int(height * size)
        level, width = int(draws.choice([0, 255])), int(draws.integers(1, 3))
        font_size = float(draws.uniform(0.25, 0.8))
        cv2.putText(written, words, place, cv2.FONT_HERSHEY_SIMPLEX, font_size, level, width, cv2.LINE_AA)
    return written
