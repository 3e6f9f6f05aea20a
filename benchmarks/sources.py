"""Looking at the files of a source: all facts in one pass, beside a loop that opens the file for each fact."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import imagehash
import numpy as np
from PIL import Image, ImageStat

from benchmarks.table import Row, Table
from covaudit.domain.source import Source
from covaudit.sources import phantom
from covaudit.sources.duplicates import near_pairs
from covaudit.sources.facts import black_border, facts_of
from covaudit.sources.images import open_image
from covaudit.sources.index import read_index

_SIDE = 1024
_KINDS = ("PNG, 1024 px", "JPEG, 1024 px")
_HASHES = "near duplicates, 4,000 hashes"
_SCAN = "first and second scan"


def measure(row: str, is_quick: bool) -> Row:
    """CPU milliseconds, median of interleaved repetitions; phantoms enlarged, one thread."""
    cv2.setNumThreads(1)
    if row == _HASHES:
        return _measure_hashes(400 if is_quick else 4_000)
    with TemporaryDirectory() as folder:
        n = 4 if is_quick else 12
        if row == _SCAN:
            return _measure_scan(_copied(_draw(Path(folder), "PNG", n), 2 if is_quick else 20))
        return _measure_facts(_draw(Path(folder), row.split(",")[0], n), 2 if is_quick else 5)


def _draw(folder: Path, format: str, n: int) -> list[Path]:
    paths = [folder / label / f"{number}.{format.lower()}" for number in range(n // 2) for label in ("NOR", "CVP")]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        drawn = phantom.render(path.parent.name, number, phantom.STYLES["phantom-a"], 512).image
        Image.fromarray(drawn).resize((_SIDE, _SIDE)).save(path, format)
    return paths


def _copied(paths: Sequence[Path], n_times: int) -> list[Path]:
    """As many files more, for a scan's processes take a second to start."""
    copies = [path.with_stem(f"{path.stem}-{number}") for number in range(n_times) for path in paths]
    for copy in copies:
        copy.write_bytes(copy.with_stem(copy.stem.partition("-")[0]).read_bytes())
    return [*paths, *copies]


def _measure_facts(paths: Sequence[Path], n_times: int) -> Row:
    decode, ours, loop = _cpu_ms([_decode, _look, _one_call_per_fact], paths, n_times)
    return f"{loop:.1f}", f"{ours:.1f}", f"{decode:.1f}", f"{loop / ours:.1f} ×", f"{ours / decode:.2f} ×"


def _measure_scan(paths: Sequence[Path]) -> Row:
    folder = paths[0].parent.parent
    source, cache = Source(name="bench", reader="folder", path=str(folder)), folder / "cache"
    seconds = []
    for scan in (lambda: read_index(source, cache), lambda: read_index(source, cache), lambda: [*map(_pillow, paths)]):
        started = time.perf_counter()
        scan()
        seconds.append(time.perf_counter() - started)
    first, second, loop = (len(paths) / one for one in seconds)
    return (
        f"{loop:,.0f} images/s (Pillow)",
        f"{first:,.0f}, then {second:,.0f} images/s",
        "–",
        f"{first / loop:.1f} ×",
        "–",
    )


def _measure_hashes(n: int) -> Row:
    hashes = np.unique(np.random.default_rng(0).integers(0, 2**63, n, dtype=np.uint64))
    wrapped = [imagehash.hex_to_hash(f"{value:016x}") for value in hashes]
    started = time.process_time()
    looped = [(i, j) for i in range(len(wrapped)) for j in range(i + 1, len(wrapped)) if wrapped[i] - wrapped[j] <= 4]
    loop = time.process_time() - started
    started = time.process_time()
    found = near_pairs(hashes)
    ours = time.process_time() - started
    assert [tuple(pair) for pair in found.tolist()] == looped
    return f"{1e3 * loop:,.0f}", f"{1e3 * ours:.1f}", "–", f"{loop / ours:,.0f} ×", "–"


def _cpu_ms(steps: Sequence[Callable[[Path], object]], paths: Sequence[Path], n_times: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(n_times):
        for step, times in zip(steps, taken, strict=True):
            started = time.process_time()
            for path in paths:
                step(path)
            times.append(1e3 * (time.process_time() - started) / len(paths))
    return [median(times) for times in taken]


def _decode(path: Path) -> object:
    return open_image(path.read_bytes())


def _look(path: Path) -> object:
    content = path.read_bytes()
    return facts_of(content, open_image(content))


def _pillow(path: Path) -> object:
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).mean()


def _one_call_per_fact(path: Path) -> object:
    def grey() -> Image.Image:
        return Image.open(path).convert("L")

    return (
        hashlib.sha256(path.read_bytes()).hexdigest(), Image.open(path).size, Image.open(path).format,
        ImageStat.Stat(grey()).mean, ImageStat.Stat(grey()).stddev,
        cv2.Laplacian(np.asarray(grey()), cv2.CV_64F).std(), black_border(np.asarray(grey())),
        str(imagehash.phash(grey())),
    )  # fmt: skip


TABLE = Table(
    "Looking at files",
    "CPU milliseconds an image, one thread, phantoms: one library call per fact beside all facts in one pass.",
    ("what", "one call per fact", "CovAudit", "decoding alone", "faster", "of decoding"),
    (*_KINDS, _HASHES, _SCAN),
    measure,
)
