"""The files that other projects use to break decoders, by their manifest: accepted or refused, no more."""

import csv
import time
from pathlib import Path

import pytest

from covaudit.errors import BadImage
from covaudit.sources.images import REASONS, open_image

# 7-bit JPEG-LS: GDCM, the decoder of the requirements, does not read it; the reference reader had another.
NOT_READ = {"dicom/pydicom_data/JLSL_08_07_0_1F.dcm"}
SECONDS = 5.0


def outcome(path: Path) -> str:
    try:
        opened = open_image(path)
    except BadImage as error:
        assert error.reason in REASONS
        assert str(path.parent) not in str(error) and "Traceback" not in str(error)
        return "reject"
    assert opened.pixels.dtype == "uint8" and opened.pixels.shape == (opened.height, opened.width)
    return "accept"


@pytest.mark.data
@pytest.mark.filterwarnings("ignore")  # pytest undoes our filters; the libraries have much to say of these files
def test_every_file_ends_as_its_manifest_says(shared: Path) -> None:
    corpus = shared / "corpus"
    wrong, slow, seen = [], [], set()
    with (corpus / "MANIFEST.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["expect"] != "render_inert"]
    for row in rows:
        started = time.perf_counter()
        came = outcome(corpus / row["path"])
        seen.add((row["expect"], came))
        if time.perf_counter() - started > SECONDS:
            slow.append(row["path"])
        if row["expect"] not in ("either", came) and row["path"] not in NOT_READ:
            wrong.append((row["path"], came))
    assert wrong == [] and slow == []
    assert len(rows) > 1500 and {("accept", "accept"), ("reject", "reject")} <= seen
