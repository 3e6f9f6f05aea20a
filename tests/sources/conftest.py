"""Images and folders made on the spot, and the way to the real collections where they are."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the real collections are not beside the project")
    return SHARED


def _encode(values: Any, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file that holds these values."""
    buffer = BytesIO()
    Image.fromarray(np.asarray(values)).save(buffer, format, **options)
    return buffer.getvalue()


def _ramp(height: int = 64, width: int = 64, top: int = 255, dtype: Any = np.uint8) -> Any:
    """Values rising from 0 at the left to `top` at the right."""
    return np.tile(np.linspace(0, top, width).round().astype(dtype), (height, 1))


def _dicom(values: Any, **elements: Any) -> bytes:
    """A DICOM file, MONOCHROME2 and uncompressed unless `elements` say otherwise; None takes an element away."""
    values = np.asarray(values)
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    dataset.Modality, dataset.PatientName, dataset.PatientID = "DX", "Canary^Person", "CANARY-17"
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = values.shape[2] if values.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = values.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.file_meta = meta
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes `<tmp_path>/<name>`, a small grey image of its own unless content is given."""
    made = 0

    def make(name: str, content: bytes | None = None) -> Path:
        nonlocal made
        made += 1
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.full((40, 48), made % 256, np.uint8)
        values[0, 0], values[0, 1] = made // 256, 255 - made % 256
        format = "JPEG" if path.suffix.startswith(".jp") else "PNG"
        path.write_bytes(_encode(values, format) if content is None else content)
        return path

    return make


def _table(source: str, label: str, sizes: list[int], prefix: str = "p") -> pd.DataFrame:
    """An index of `len(sizes)` patients with so many images each, all different."""
    rows = [
        {
            "source": source,
            "image_id": f"{label}-{prefix}{patient}-{image}",
            "path": f"{source}/{label}-{prefix}{patient}-{image}.png",
            "sha256": f"{source}/{label}/{prefix}{patient}/{image}",
            "label": label,
            "patient": f"{label}-{prefix}{patient}",
            "view": None,
            "sex": None,
            "age": float("nan"),
            "mask_path": None,
            "width": 64,
            "height": 64,
        }
        for patient, size in enumerate(sizes)
        for image in range(size)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return _encode


@pytest.fixture
def ramp() -> Callable[..., Any]:
    return _ramp


@pytest.fixture
def make_dicom() -> Callable[..., bytes]:
    return _dicom


@pytest.fixture
def make_table() -> Callable[..., pd.DataFrame]:
    return _table
