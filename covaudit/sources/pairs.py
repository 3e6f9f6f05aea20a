"""Whether two images show the same picture, by their pixels."""

import cv2
import numpy as np

from covaudit.sources.grey import Grey

SAME = 0.7
"""Likeness from which on two pictures count as one. Of real images whose hashes are near, different children's chests
reach 0.65, neighbouring CT slices 0.6 to 0.85, copies 0.9 and more."""
_SIDE = 128
_SMOOTH = 6.0


def likeness(first: Grey, second: Grey) -> float:
    """Correlation, in [-1, 1], of what is fine in two pictures (H, W) of any size.

    Both are stretched to 128 pixels and lose what is smooth: all chest radiographs are alike in that, and another
    display window changes it. Two pictures without anything fine in them are alike if they are equal: 1, else 0.
    """
    one, other = (_fine(pixels) for pixels in (first, second))
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    if size < 1e-6:
        return float(first.shape == second.shape and np.array_equal(first, second))
    return float((one * other).sum() / size)


def _fine(pixels: Grey) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = small - cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    return np.asarray(fine - fine.mean(), dtype=np.float32)
