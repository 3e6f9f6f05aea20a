"""How much memory an epoch's batches take, in a process of its own: resident memory counts mapped files too."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Row, Table

_SIZE, _BATCH = 256, 32
_ROWS = {"1,000 images": 1_000, "10,000 images": 10_000}

_EPOCH = """
import sys, numpy as np, psutil, torch
from covaudit.training.loaders import batches, take, to_images
path, n, size, batch = sys.argv[1], *map(int, sys.argv[2:])
process, device = psutil.Process(), torch.device("cpu")
pixels = np.load(path, mmap_mode="r")
to_images(take(pixels, np.arange(batch)), device)
before, most = process.memory_info().rss, 0
for rows in batches(np.arange(n), batch, 0):
    to_images(take(pixels, rows), device)
    most = max(most, process.memory_info().rss)
print(most - before)
"""


def measure(row: str, is_quick: bool) -> Row:
    """Megabytes of the array, and by how many the process grows at most while it reads every image once."""
    import numpy as np

    n = _ROWS[row]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        array = np.lib.format.open_memmap(path, "w+", np.uint8, (n, _SIZE, _SIZE))
        for start in range(0, n, 1000):
            array[start : start + 1000] = 1
        array.flush()
        command = [sys.executable, "-c", _EPOCH, str(path), *map(str, (n, _SIZE, _BATCH))]
        grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return f"{n * _SIZE**2 / 1e6:.0f} MB", f"{grown / 1e6:.0f} MB"


TABLE = Table(
    title="Memory of an epoch's batches",
    how="Images of 256 px, read once each in batches of 32; by how much the process grows at most.",
    header=("data", "pixels", "growth"),
    rows=tuple(_ROWS),
    measure=measure,
)
