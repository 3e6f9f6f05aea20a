"""A folder of DICOM radiographs with one sub-folder per class: the reader `dicom`.

Input: `<class>/**/*.dcm`, also files without a suffix that begin as DICOM does. Other images are left to the reader
`folder`.
Labels: the sub-folder's name, as for the reader `folder`.
Metadata: view, sex and age from the header. Patient: who shares a PatientID is one patient, numbered in the order of
the files; neither the PatientID nor the name leaves this reader, and since folders and files are often named after
patients, an image is named by its class and a hash of its path. Lateral views are dropped with a count, and CT where
there are radiographs.
Publication, Licence, Population, Reference standard: not known; state them.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydicom.dataset import Dataset

from covaudit.errors import BadImage
from covaudit.sources.dicom import read_header
from covaudit.sources.readers.base import ReaderResult, Rows, age_of, is_lateral, sex_of, view_of
from covaudit.sources.readers.files import list_images
from covaudit.sources.readers.folder import label_of

_SUFFIXES = (".dcm", ".dicom")
_OTHER_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    listing = list_images(folder)
    rows = Rows(listing.refused)
    root = folder.resolve()
    headers = {path: _header(path) for path in listing.paths if path.suffix.lower() not in _OTHER_IMAGES}
    rows.drop("not a DICOM file", len(listing.paths) - len(headers))
    is_mixed = {str(header.get("Modality", "")) == "CT" for header in headers.values() if header} == {True, False}
    patients: dict[str, str] = {}
    for path, header in headers.items():
        parts = path.relative_to(root).parts
        if header is None:
            rows.drop("not a DICOM file that can be read")
        elif len(parts) < 2:
            rows.drop("in no sub-folder, so without a class")
        elif is_mixed and str(header.get("Modality", "")) == "CT":
            rows.drop("not a radiograph")
        elif is_lateral(view_of(header.get("ViewPosition"))):
            rows.drop("a lateral view")
        else:
            _add(rows, path, parts, header, patients)
    return rows.result()


def _add(rows: Rows, path: Path, parts: tuple[str, ...], header: Dataset, patients: dict[str, str]) -> None:
    image_id = f"{parts[0]}/{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:16]}"
    known = {"view": view_of(header.get("ViewPosition")), "sex": sex_of(header.get("PatientSex"))}
    identity = str(header.get("PatientID") or "").strip()
    patient = patients.setdefault(identity, f"patient-{len(patients) + 1}") if identity else image_id
    rows.add(image_id, path, label_of(parts[0]), patient, age=age_of(header.get("PatientAge")), **known)


def _header(path: Path) -> Dataset | None:
    try:
        with path.open("rb") as file:
            return read_header(file)
    except (BadImage, OSError):
        return None


def matches(folder: Path) -> bool:
    """Sub-folders with DICOM files and no other images, judged by the first hundred."""
    found = [
        path for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink()
        for path in list_images(one).paths[:100]
    ]  # fmt: skip
    return bool(found) and all(path.suffix.lower() not in _OTHER_IMAGES for path in found)
