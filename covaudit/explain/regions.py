"""How much of a heat map lies in a region of the image."""

import cv2
import numpy as np
from numpy.typing import NDArray

Heatmap = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def share_in(heatmap: Heatmap, region: Mask) -> float:
    """Share in [0, 1] of the heat (h, w) that lies in the region (H, W); NaN where there is no heat.

    The map is brought to the image's size by bilinear interpolation, as it is drawn.
    """
    heat = cv2.resize(heatmap.astype(np.float32), region.shape[::-1], interpolation=cv2.INTER_LINEAR)
    total = float(heat.sum())
    return float(heat[region].sum()) / total if total > 0 else float("nan")
