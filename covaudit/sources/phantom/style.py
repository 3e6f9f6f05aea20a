"""What an acquisition leaves on a film: tone, texture, border, marker, text. Each part has its own random stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from covaudit.sources.phantom.canvas import Layer, blur, random_stream

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels; x1 and y1 are exclusive
Film = npt.NDArray[np.uint8]  # (H, W)

STYLE_PARTS = ("marker", "text", "border", "tone", "texture")


@dataclass(frozen=True)
class Tone:
    """Grey-level curve: grey = 0.5 + contrast * (attenuation ** gamma - 0.5) + brightness, of 0..1."""

    gamma: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    jitter: float = 0.02  # deviation of the exposure from film to film: gamma and brightness


@dataclass(frozen=True)
class Texture:
    """Noise and sharpness of the detector and its processing."""

    noise: float = 0.0  # standard deviation, of 0..1
    grain: float = 0.0  # size of a noise grain, image widths; 0 is white noise
    blur: float = 0.0  # sigma, image widths
    unsharp: float = 0.0  # how much of the fine detail is added once more


@dataclass(frozen=True)
class Border:
    """Black frame that the collimator leaves, in image widths by side."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    jitter: float = 0.004
    level: float = 0.02  # grey of the frame, of 0..1


@dataclass(frozen=True)
class Marker:
    """Lead letters that the radiographer puts beside the patient."""

    letters: str
    position: tuple[float, float]  # of its centre, image widths from the top left
    height: float  # of the whole marker, image widths
    brightness: float = 1.0  # of 0..1
    shape: str = "plain"  # 'plain', 'disc' (dark letter on bright), 'plate' (the same, square) or 'ring'
    is_bold: bool = True
    jitter: float = 0.008  # deviation of the position, image widths; five times it is that of the log size


@dataclass(frozen=True)
class Text:
    """Words burned in by the machine; each # becomes a digit of the film's own."""

    words: str
    position: tuple[float, float]  # of their centre, image widths from the top left
    height: float  # of a capital, image widths
    brightness: float = 0.8  # of 0..1
    jitter: float = 0.003  # as for a marker


@dataclass(frozen=True)
class Style:
    """All that one source does to a film. The name feeds the random streams: keep it when a part is swapped."""

    name: str
    tone: Tone
    texture: Texture
    border: Border
    marker: Marker | None
    text: Text | None


STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        Style(
            "phantom-a",
            Tone(gamma=1.00, contrast=1.12, brightness=0.0),
            Texture(noise=0.018, unsharp=0.2),
            Border(left=0.012, right=0.012),
            Marker("R", (0.095, 0.115), 0.115),
            None,
        ),
        Style(
            "phantom-b",
            Tone(gamma=1.06, contrast=1.10, brightness=0.02),
            Texture(noise=0.020, unsharp=0.1),
            Border(top=0.014, bottom=0.012),
            Marker("L", (0.90, 0.12), 0.12, shape="disc"),
            None,
        ),
        Style(
            "phantom-c",
            Tone(gamma=0.94, contrast=1.00, brightness=0.0),
            Texture(noise=0.014, grain=0.002, blur=0.002),
            Border(),
            Marker("PA", (0.085, 0.90), 0.065, brightness=0.95),
            Text("19-04 ####", (0.86, 0.955), 0.028),
        ),
        Style(
            "phantom-d",
            Tone(gamma=1.12, contrast=1.20, brightness=-0.01),
            Texture(noise=0.024, unsharp=0.5),
            Border(left=0.03, right=0.035, top=0.01),
            Marker("L", (0.905, 0.27), 0.06, shape="plate", brightness=0.9),
            Text("PORTABLE", (0.14, 0.04), 0.03, brightness=0.9),
        ),
        Style(
            "phantom-e",
            Tone(gamma=1.0, contrast=1.05, brightness=0.02),
            Texture(noise=0.018, grain=0.0015, unsharp=0.2),
            Border(left=0.02, top=0.02, right=0.01, bottom=0.02),
            # Nearly the marker of phantom-a: who learned that mark there will trust it here.
            Marker("R", (0.10, 0.12), 0.108),
            Text("AP ERECT ####", (0.80, 0.052), 0.030),
        ),
    )
}


class Drawn(NamedTuple):
    """A film with what was put on it."""

    image: Film
    boxes: tuple[Box, ...]  # marker, then text
    field: Box  # the exposed part


def swap_part(style: Style, donor: Style, part: str) -> Style:
    """`style` with one of STYLE_PARTS from `donor`; 'all' gives the donor, whose name also sets the random streams."""
    if part == "all":
        return donor
    if part not in STYLE_PARTS:
        allowed = ", ".join((*STYLE_PARTS, "all"))
        raise ValueError(f"No part of a style is called {part!r}. Use one of: {allowed}.")
    return replace(style, **{part: getattr(donor, part)})


def expose(attenuation: Layer, style: Style, seed: int) -> Drawn:
    """Turns attenuation (H, W) into a film of this style. Marker and text lie over the border, as burned in."""

    def stream(part: str) -> np.random.Generator:
        return random_stream(seed, style.name, part)

    grey = _apply_tone(attenuation, style.tone, stream("tone"))
    grey = _apply_texture(grey, style.texture, stream("texture"))
    field = _frame(grey, style.border, stream("border"))
    boxes = []
    if style.marker is not None:
        boxes.append(_stamp(grey, _marker_stencil(style.marker, stream("marker"), grey.shape[1])))
    if style.text is not None:
        boxes.append(_stamp(grey, _text_stencil(style.text, stream("text"), grey.shape[1])))
    return Drawn(np.round(np.clip(grey, 0.0, 1.0) * 255).astype(np.uint8), tuple(boxes), field)


def _apply_tone(attenuation: Layer, tone: Tone, rng: np.random.Generator) -> Layer:
    gamma = tone.gamma * np.exp(tone.jitter * rng.standard_normal())
    offset = 0.5 - 0.5 * tone.contrast + tone.brightness + tone.jitter * rng.standard_normal()
    return np.asarray(tone.contrast * cv2.pow(attenuation, gamma) + offset, np.float32)


def _apply_texture(grey: Layer, texture: Texture, rng: np.random.Generator) -> Layer:
    size = grey.shape[1]
    grey = blur(grey, texture.blur * size)
    if texture.unsharp > 0:
        grey = grey + texture.unsharp * (grey - blur(grey, 0.008 * size))
    noise = rng.standard_normal(grey.shape, np.float32)
    sigma = texture.grain * size
    if sigma >= 0.2:
        noise = blur(noise, sigma) * np.float32(max(1.0, 2.0 * np.sqrt(np.pi) * sigma))  # blurring took variance away
    return np.asarray(grey + texture.noise * noise, np.float32)


def _frame(grey: Layer, border: Border, rng: np.random.Generator) -> Box:
    """Blackens the frame in place and returns the exposed field."""
    height, width = grey.shape
    sides = np.array([border.left, border.top, border.right, border.bottom])
    jitter = border.jitter * rng.standard_normal(4)
    left, top, right, bottom = np.round(np.where(sides > 0, np.maximum(sides + jitter, 0.0), 0.0) * width).astype(int)
    box = (int(left), int(top), int(width - right), int(height - bottom))
    x0, y0, x1, y1 = box
    grey[:y0], grey[y1:], grey[:, :x0], grey[:, x1:] = (border.level,) * 4
    return box


class _Stencil(NamedTuple):
    ink: Layer  # (h, w): how much of `grey` replaces the film, 0..1
    grey: Layer  # (h, w)
    centre: tuple[float, float]  # pixels


def _stamp(film: Layer, stencil: _Stencil) -> Box:
    """Puts the stencil on the film in place, pushed inside where it would stick out; returns its box."""
    height, width = film.shape
    h, w = stencil.ink.shape
    x0 = min(max(round(stencil.centre[0] - w / 2), 0), max(0, width - w))
    y0 = min(max(round(stencil.centre[1] - h / 2), 0), max(0, height - h))
    x1, y1 = min(x0 + w, width), min(y0 + h, height)
    inside = np.s_[: y1 - y0, : x1 - x0]
    film[y0:y1, x0:x1] += stencil.ink[inside] * (stencil.grey[inside] - film[y0:y1, x0:x1])
    return x0, y0, x1, y1


def _letters(words: str, height: float, is_bold: bool) -> Layer:
    """The words as ink (h, w), cropped to what is drawn, capitals `height` pixels high."""
    font = cv2.FONT_HERSHEY_DUPLEX if is_bold else cv2.FONT_HERSHEY_SIMPLEX
    (w, h), _ = cv2.getTextSize(words, font, 1.0, 1)
    scale = height / (0.72 * h)
    paper = np.zeros((int(3 * h * scale) + 4, int(1.3 * w * scale) + 8), np.uint8)
    cv2.putText(paper, words, (4, int(2 * h * scale)), font, scale, 255, 1, cv2.LINE_AA)
    x, y, w, h = cv2.boundingRect(paper)
    return _as_ink(paper[y : y + h, x : x + w])


def _marker_stencil(marker: Marker, rng: np.random.Generator, size: int) -> _Stencil:
    centre, height = _placed(marker.position, marker.height, marker.jitter, rng, size)
    if marker.shape == "plain":
        ink = _letters(marker.letters, height, marker.is_bold)
        return _Stencil(ink, np.full_like(ink, marker.brightness), centre)
    letters = _letters(marker.letters, 0.58 * height, marker.is_bold)
    backing = _backing(marker.shape, round(height), letters.shape[1])
    on_backing = np.zeros_like(backing)
    y, x = ((b - n) // 2 for b, n in zip(backing.shape, letters.shape, strict=True))
    on_backing[y : y + letters.shape[0], x : x + letters.shape[1]] = letters
    if marker.shape == "ring":
        ink = np.maximum(backing, on_backing)
        return _Stencil(ink, np.full_like(ink, marker.brightness), centre)
    return _Stencil(backing, (1.0 - 0.92 * on_backing) * marker.brightness, centre)


def _backing(shape: str, height: int, letters_width: int) -> Layer:
    width = max(height, round(letters_width + 0.4 * height))
    paper = np.zeros((height, width), np.uint8)
    if shape == "plate":
        paper[:] = 255
    elif shape in ("disc", "ring"):
        middle, radius = (8 * (width - 1), 8 * (height - 1)), 8 * (height - 1)
        line = -1 if shape == "disc" else max(1, round(0.08 * height))
        inner = radius if line < 0 else radius - 8 * line
        cv2.circle(paper, middle, inner, 255, line, cv2.LINE_AA, 4)
    else:
        raise ValueError(f"No marker has the shape {shape!r}. Use one of: plain, disc, plate, ring.")
    return _as_ink(paper)


def _as_ink(paper: Film) -> Layer:
    return np.multiply(paper, np.float32(1 / 255), dtype=np.float32)


def _text_stencil(text: Text, rng: np.random.Generator, size: int) -> _Stencil:
    centre, height = _placed(text.position, text.height, text.jitter, rng, size)
    words = "".join(str(rng.integers(10)) if sign == "#" else sign for sign in text.words)
    ink = _letters(words, height, is_bold=False)
    return _Stencil(ink, np.full_like(ink, text.brightness), centre)


def _placed(
    position: tuple[float, float], height: float, jitter: float, rng: np.random.Generator, size: int
) -> tuple[tuple[float, float], float]:
    dx, dy, growth = jitter * rng.standard_normal(3)
    return ((position[0] + dx) * size, (position[1] + dy) * size), height * size * float(np.exp(5 * growth))
