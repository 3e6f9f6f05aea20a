"""Drawing in patient coordinates: outlines and strokes to smooth float layers.

Patient coordinates: x from the midline towards the patient's left (right on the image), y down, both in image widths;
(0, 0) is the centre of the chest. A layer is (H, W) float32, 0 where nothing was drawn and 1 where it was drawn fully.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Layer = npt.NDArray[np.float32]  # (H, W)
Mask = npt.NDArray[np.bool_]  # (H, W)
Points = npt.NDArray[np.float64]  # (..., 2), x and y

_SUBPIXEL_BITS = 4
_LEAST_SIGMA = 0.2  # pixels


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each use, so that one part drawing more or fewer numbers moves no other part."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def blur(layer: Layer, sigma_px: float) -> Layer:
    """Gaussian blur; a sigma too small to matter returns the layer as it is."""
    if sigma_px < _LEAST_SIGMA:
        return layer
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma_px), np.float32)


def smoothstep(values: Any, low: float, high: float) -> Any:
    """0 below `low`, 1 above `high` (or the other way round when low > high), smooth between."""
    t = np.minimum(np.maximum((values - low) * (1.0 / (high - low)), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def curve(points: Sequence[tuple[float, float]] | Points, closed: bool = False, n: int = 5) -> Points:
    """A Catmull-Rom curve through the points, `n` steps between neighbours."""
    knots = np.asarray(points, np.float64)
    ends = (knots[-1:], knots[:2]) if closed else (2 * knots[:1] - knots[1:2], 2 * knots[-1:] - knots[-2:-1])
    padded = np.concatenate([ends[0], knots, ends[1]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(n) / n)[None, :, None]
    steps = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    line = steps.reshape(-1, 2)
    return line if closed else np.concatenate([line, knots[-1:]])


def mirror(points: Points, side: int) -> Points:
    """Points given for the patient's left (side 1), or the same on the right (side -1)."""
    return np.asarray(points * np.array([side, 1.0]))


@dataclass(frozen=True)
class Canvas:
    """Where a patient stands on a square image of `size` pixels: turned by `angle` (radians), scaled, shifted."""

    size: int
    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def to_pixels(self, points: Points) -> Points:
        cos, sin = self.scale * math.cos(self.angle), self.scale * math.sin(self.angle)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray((turned + np.array(self.shift) + 0.5) * self.size)

    def axes(self) -> tuple[Layer, Layer]:
        """Coordinates x (1, W) and y (H, 1) of a patient who stands straight: cheap, and enough for broad gradients."""
        pixels = np.arange(self.size, dtype=np.float32) + np.float32(0.5)
        steps = (pixels / np.float32(self.size) - np.float32(0.5)) / np.float32(self.scale)
        across, down = (steps - np.float32(shift / self.scale) for shift in self.shift)
        return across[None, :], down[:, None]

    def grid(self, columns: slice) -> tuple[Layer, Layer]:
        """Patient coordinates x and y of every pixel in these columns, two (H, columns) layers."""
        across, down = self.axes()
        across = across[:, columns]
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (cos * across + sin * down).astype(np.float32), (cos * down - sin * across).astype(np.float32)

    def columns(self, x: float, margin: float) -> slice:
        """The columns in which a pixel can lie within `margin` of the patient's x."""
        ends = self.to_pixels(np.array([(x, -0.5), (x, 0.5)]) / self.scale)[:, 0]
        reach = self.pixels(margin) + 1
        return slice(max(0, int(ends.min() - reach)), min(self.size, int(ends.max() + reach)))

    def blob(self, centre: tuple[float, float], radii: tuple[float, float]) -> Layer:
        """A Gaussian hill of height 1; upright, as a patient's small turn does not show on it."""
        px, py = self.to_pixels(np.array(centre))
        pixels = np.arange(self.size, dtype=np.float32) + 0.5
        across = np.exp(-(((pixels - px) / self.pixels(radii[0])) ** 2))
        down = np.exp(-(((pixels - py) / self.pixels(radii[1])) ** 2))
        return np.asarray(down[:, None] * across[None, :], np.float32)

    def pixels(self, length: float) -> float:
        """A length in image widths, in pixels."""
        return length * self.size * self.scale

    def fill(self, *outlines: Points, soft: float = 0.003) -> Layer:
        """The inside of the outlines, edges `soft` (image widths) blurred."""
        layer = np.zeros((self.size, self.size), np.uint8)
        for outline in outlines:
            cv2.fillPoly(layer, [self._fixed(outline)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._softened(layer, soft)

    def strokes(self, *groups: tuple[Points, float, float], soft: float = 0.003) -> Layer:
        """Groups of (lines (n, k, 2), width, strength in 0..1) on one layer, each over the ones before.

        Lines narrower than a pixel fade instead of getting thinner.
        """
        layer = np.zeros((self.size, self.size), np.uint8)
        for lines, width, strength in groups:
            wanted = self.pixels(width)
            thickness = max(1, round(wanted))
            value = round(255 * strength * min(1.0, wanted / thickness))
            cv2.polylines(layer, list(self._fixed(lines)), False, value, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._softened(layer, soft)

    def dome(self, mask: Mask, depth: float) -> Layer:
        """Thickness of a rounded body with this outline: 0 at its edge, 1 from `depth` (image widths) inwards."""
        # Thickness is smooth: half the resolution shows no difference and costs a quarter.
        distance = cv2.distanceTransform(mask[::2, ::2].astype(np.uint8), cv2.DIST_L2, 3)
        t = np.minimum(distance * np.float32(2.0 / self.pixels(depth)), 1.0)
        rounded = np.sqrt(t * (2.0 - t))
        return np.asarray(cv2.resize(rounded, (self.size, self.size), interpolation=cv2.INTER_LINEAR), np.float32)

    def clouds(self, rng: np.random.Generator, cells: int) -> Layer:
        """Smooth noise, mean 0 and deviation about 0.7, `cells` bumps across."""
        coarse = rng.standard_normal((cells, cells), np.float32)
        return np.asarray(cv2.resize(coarse, (self.size, self.size), interpolation=cv2.INTER_CUBIC), np.float32)

    def _softened(self, layer: npt.NDArray[np.uint8], soft: float) -> Layer:
        return blur(np.multiply(layer, np.float32(1 / 255), dtype=np.float32), self.pixels(soft))

    def _fixed(self, points: Points) -> npt.NDArray[np.int32]:
        return np.asarray(np.round((self.to_pixels(points) - 0.5) * 2**_SUBPIXEL_BITS), np.int32)
