"""Who a film shows stands in its header: none of it may reach the database, a cache, a log or an export."""

import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from covaudit.domain.experiment import Experiment
from covaudit.domain.source import Source
from covaudit.errors import BadImage
from covaudit.sources.images import open_upload
from covaudit.store import Store, artifacts, bundle, runs, sources

CANARIES = {
    "PatientName": "Mustermann^Kanarienvogel",
    "PatientBirthDate": "19370214",
    "InstitutionName": "Klinik am Kanarienberg",
    "ReferringPhysicianName": "Doktor^Kanarius",
    "AccessionNumber": "KANARI-0815",
    "StudyDescription": "Thorax Kanarienvogel",
    "PatientAddress": "Kanarienweg 7",
}
IDENTIFIERS = (*CANARIES, "PatientID", "OtherPatientIDs", "StudyInstanceUID", "StudyID")


def _header(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)


def _bytes_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, the members of a zip each by itself, the columns of a Parquet file as text."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        if path.suffix == ".parquet":
            yield str(path), pd.read_parquet(path).to_csv().encode()
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                for name in opened.namelist():
                    if not name.endswith(".parquet"):
                        yield f"{path}:{name}", opened.read(name)
        else:
            yield str(path), path.read_bytes()


@pytest.mark.slow
def test_nothing_of_a_header_is_left_after_a_whole_run(
    store: Store,
    ask: Callable[..., Experiment],
    tmp_path: Path,
    make_dicom: Callable[..., bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    from covaudit.jobs.execute import execute

    rng = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "clinic" / ("NOR" if number % 2 else "CVP") / f"{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        film = make_dicom(rng.integers(0, 4000, (96, 80), dtype=np.uint16), PatientID=f"KANARI-P{number}", **CANARIES)
        path.write_bytes(film)
        assert str(_header(path).get("PatientName")) == CANARIES["PatientName"]  # or the test would prove nothing
    sources.add(store, Source(name="clinic", reader="dicom", path=str(tmp_path / "clinic")))
    drawn = [{"source": "clinic", "label": "NOR"}, {"source": "clinic", "label": "CVP"}]
    experiment = ask(train=drawn, training={"image_size": 32, "epochs": 1, "batch_size": 8})
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    assert runs.claim(store, experiment.id, "cpu") == 1
    artifacts.run_folder(store, experiment.id, 1).mkdir(parents=True)
    execute(store, experiment.id, 0, 1, "cpu")
    bundle.export(store, experiment.id, store.workspace / "exported.zip")
    said = capfd.readouterr()
    kept = [*_bytes_of(store.workspace), ("what was printed", (said.out + said.err).encode())]
    assert len(kept) > 10
    for where, data in kept:
        for canary in (b"anari", b"ANARI", b"19370214"):
            assert canary not in data, where


@pytest.mark.data
def test_no_upload_of_the_corpus_tells_who_it_shows(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    n_names = 0
    for path in sorted((shared / "corpus" / "dicom").rglob("*.dcm")):
        if path.stat().st_size > 5_000_000:
            continue  # bombs; what they say is tested elsewhere
        try:
            header = _header(path)
        except (InvalidDicomError, ValueError, RecursionError):
            continue
        names = {str(header.get(name) or "").strip() for name in IDENTIFIERS}
        names = {name for name in names if len(name) >= 6 and name.lower() not in ("anonymous", "anonymized")}
        caplog.clear()
        try:
            opened = open_upload(path.read_bytes(), "film.dcm")
            said = " ".join((opened.format, *opened.notes))
        except BadImage as error:
            said = str(error)
        n_names += len(names)
        for name in names:
            assert name not in said + caplog.text, path.name
    assert n_names > 50
