"""Memory-mapped arrays without the memory."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def release(array: NDArray[np.uint8]) -> None:
    """Give the pages of a memory-mapped array back to the system, which keeps them in its file cache as long as there
    is room; nothing is lost and the next access finds them again. Other arrays are left alone."""
    mapping: Any = getattr(array, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
