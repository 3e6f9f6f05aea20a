"""How much memory the maps of a batch take, ours and Captum's, each in a process of its own."""

import subprocess
import sys

from benchmarks.table import Row, Table

_BATCH = 4
_ROWS = {"DenseNet-121, 768 px": ("densenet121", 768)}

_PEAK = """
import sys, threading, time, psutil, torch
from captum.attr import LayerGradCam
from covaudit.explain.gradcam import choose_layer, explain_batch, log_odds
from models.registry import NETWORKS, build_network
whose, name, size, batch = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(1)
network = build_network(name, 2, image_size=size).eval()
layer = choose_layer(network, NETWORKS[name].cam_layers, NETWORKS[name].native_size)
images = torch.zeros(batch, 1, size, size)
process, is_over = psutil.Process(), threading.Event()
before = most = process.memory_info().rss

def watch():
    global most
    while not is_over.wait(0.002):
        most = max(most, process.memory_info().rss)

watcher = threading.Thread(target=watch)
watcher.start()
if whose == "ours":
    explain_batch(network, (layer,), images, ("grad-cam",))
else:
    LayerGradCam(lambda one: log_odds(network(one)), network.get_submodule(layer)).attribute(images, target=1)
is_over.set()
watcher.join()
print(most - before)
"""


def measure(row: str, is_quick: bool) -> Row:
    """Megabytes by which the process grows at most, Captum's and ours, and their ratio."""
    name, size = _ROWS[row]
    theirs, ours = (_peak(whose, name, size // 3 if is_quick else size) for whose in ("captum", "ours"))
    return f"{theirs:,.0f} MB", f"{ours:,.0f} MB", f"{theirs / ours:.1f}"


def _peak(whose: str, name: str, size: int) -> float:
    command = [sys.executable, "-c", _PEAK, whose, name, str(size), str(_BATCH)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1e6


TABLE = Table(
    "Memory of heat maps",
    "By how much a process grows at most while the Grad-CAM maps of a batch of 4 images are drawn: Captum's of one "
    "class, which keeps a graph of the whole network, and ours of both.",
    ("network", "Captum", "CovAudit", "ratio"),
    tuple(_ROWS),
    measure,
)
