"""A heat map drawn on its image. NumPy and OpenCV only, so that pages can draw without torch."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]  # (H, W)
Colour = npt.NDArray[np.uint8]  # (H, W, 3), red first

SHOWN_SIZE = 384  # pixels of the longer side: a 128 px image stays readable on a page
_COLOURS = cv2.COLORMAP_INFERNO
_OUTLINE = (86, 180, 233)  # Okabe and Ito's sky blue: neither grey nor a colour of the heat


def overlay(pixels: Grey, heatmap: Grey, alpha: float = 0.45, outline: npt.NDArray[np.bool_] | None = None) -> Colour:
    """The heat map, resized to the image, over the image (H, W); `alpha` in [0, 1] is the opacity of full heat.

    Cold places stay as they are, so that the radiograph can be read; `outline`, a mask (H, W), is drawn as a contour.
    """
    height, width = pixels.shape
    heat = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)[..., None] / 255
    colours = colour_scale()[np.round(heat[..., 0] * 255).astype(np.uint8)].astype(np.float32)
    # The square root lets middling heat show; with plain heat as opacity only the peak is seen.
    opacity = alpha * np.sqrt(heat)
    drawn = np.round((1 - opacity) * pixels[..., None].astype(np.float32) + opacity * colours).astype(np.uint8)
    return with_outline(drawn, outline) if outline is not None else drawn


def with_outline(image: Colour, mask: npt.NDArray[np.bool_]) -> Colour:
    """The image (H, W, 3) with the edge of a mask (H, W) drawn on it."""
    drawn = image.copy()
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, edges, -1, _OUTLINE, max(1, image.shape[0] // 192), cv2.LINE_AA)
    return drawn


def overlay_png(
    pixels: Grey, heatmap: Grey, alpha: float = 0.45, outline: npt.NDArray[np.bool_] | None = None
) -> bytes:
    """`overlay` as a PNG, small images enlarged to `SHOWN_SIZE` first."""
    shown = enlarge(pixels)
    mask = None if outline is None else enlarge_mask(outline, shown.shape)
    return png(overlay(shown, heatmap, alpha, mask))


def grey_png(pixels: Grey, outline: npt.NDArray[np.bool_] | None = None) -> bytes:
    """The image alone (H, W) as a PNG of the same size as its overlay."""
    shown = enlarge(pixels)
    if outline is None:
        return png(shown)
    return png(with_outline(np.repeat(shown[..., None], 3, axis=2), enlarge_mask(outline, shown.shape)))


def enlarge(pixels: Grey) -> Grey:
    """Smoothly to `SHOWN_SIZE` on the longer side; larger images as they are."""
    factor = SHOWN_SIZE / max(pixels.shape)
    if factor <= 1:
        return pixels
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def enlarge_mask(mask: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """A mask (h, w) at another shape (H, W)."""
    return cv2.resize(mask.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) > 0


def reduce(pixels: Grey, side: int = SHOWN_SIZE) -> Grey:
    """The image (H, W) with at most `side` pixels on the longer side; smaller ones as they are."""
    factor = side / max(pixels.shape)
    if factor >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def colour_scale() -> Colour:
    """The 256 colours of heat 0 to 255, (256, 3), red first: inferno, even to the eye, dark to bright; never jet."""
    steps = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(steps, _COLOURS)[:, 0, ::-1], np.uint8)


def png(image: npt.NDArray[Any]) -> bytes:
    """A (H, W) or (H, W, 3) uint8 image as a lossless PNG."""
    data = image[..., ::-1] if image.ndim == 3 else image
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(data), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"an image of shape {image.shape} cannot be written as a PNG")
    return encoded.tobytes()
