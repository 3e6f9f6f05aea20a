"""The files that other projects use to break decoders, by their manifest: accepted or refused, no more."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from covaudit.errors import BadImage
from covaudit.sources import decoders, images
from covaudit.sources.images import REASONS, open_upload

SECONDS = 5.0
BYTES = 2**30

pytestmark = pytest.mark.data


@pytest.fixture(scope="module", autouse=True)
def own_decoders() -> Iterator[None]:
    images._decoders.cache_clear()
    yield
    images._decoders().close()


@pytest.fixture
def corpus(shared: Path) -> Path:
    return shared / "corpus"


def outcome(path: Path) -> str:
    try:
        opened = open_upload(path.read_bytes(), path.name)
    except BadImage as error:
        assert error.reason in REASONS
        assert str(path.parent) not in str(error) and "Traceback" not in str(error)
        return "reject"
    assert opened.pixels.dtype == "uint8" and opened.pixels.shape == (opened.height, opened.width)
    return "accept"


def peak_bytes() -> int:
    """The most memory that any decoder process of ours has held."""
    children = [child for child in psutil.Process().children() if "decoder_process" in " ".join(child.cmdline())]
    lines = [Path(f"/proc/{child.pid}/status").read_text() for child in children]
    return max((int(text.split("VmHWM:")[1].split()[0]) * 1024 for text in lines), default=0)


def test_every_file_ends_as_its_manifest_says(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, slow, seen, large = [], [], set(), []
    monkeypatch.setattr(decoders, "SECONDS", 4 * SECONDS)  # measured below, so that a busy machine does not decide
    with (corpus / "MANIFEST.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["expect"] != "render_inert"]
    for row in rows:
        started = time.perf_counter()
        came = outcome(corpus / row["path"])
        seen.add((row["expect"], came))
        if time.perf_counter() - started > SECONDS:
            slow.append(row["path"])
        if row["expect"] not in ("either", came):
            wrong.append((row["path"], came))
        if not large and peak_bytes() > BYTES:
            large.append(row["path"])
    assert (wrong, slow, large) == ([], [], [])
    assert len(rows) > 1500 and {("accept", "accept"), ("reject", "reject")} <= seen


@pytest.mark.parametrize(
    ("twins", "n", "apart"),
    [
        ("Landscape_[0-8].jpg", 3, 3),  # each was compressed after it was turned
        ("16bit.*cropped.tif", 2, 0),  # both orders of bytes
        ("*MR_small*.dcm", 3, 0),  # run lengths, JPEG-LS, big-endian
    ],
)
def test_twins_are_one_picture(corpus: Path, twins: str, n: int, apart: float) -> None:
    shown = [open_upload(path.read_bytes()).pixels for path in sorted(corpus.rglob(twins))]
    assert len(shown) >= n and len({pixels.shape for pixels in shown}) == 1
    assert max(np.abs(pixels.astype(int) - shown[0]).mean() for pixels in shown) <= apart
