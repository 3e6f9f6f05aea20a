"""DICOM to 8-bit grey, by pydicom: modality LUT, then VOI LUT or window, then MONOCHROME1 inverted.

Nothing of the header but the picture's own facts leaves this file: no name, date or number of a patient.
"""

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from covaudit.sources.codestream import n_values
from covaudit.sources.grey import Decoded, Grey, luminance, stretch
from covaudit.sources.refusals import MAX_PIXELS, check_size, refuse, refusing_damage

_DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.8.1")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_BAD_TABLE = (ValueError, NotImplementedError, AttributeError, TypeError, IndexError)
_RADIOGRAPHS = ("CR", "DX", "RG", "RF", "XA", "PX", "")


def open_dicom(data: bytes) -> Decoded:
    """Grey levels, light = dense. Raises BadImage."""
    with refusing_damage():
        dataset = _read(data)
        _check_codestream(dataset)
        stored = _decode(dataset)
        notes = _header_notes(dataset)
        depth = int(dataset.get("BitsStored") or stored.itemsize * 8)
        return Decoded(_flatten(stored, dataset, notes), notes, depth, int(dataset.get("SamplesPerPixel") or 1))


def _flatten(stored: NDArray[Any], dataset: Dataset, notes: list[str]) -> Grey:
    if stored.ndim not in (2, 3):
        raise refuse("dicom_many_frames")
    if stored.ndim == 3:
        notes.append("colour turned to grey")
        return luminance(stored)
    if str(dataset.PhotometricInterpretation) == "PALETTE COLOR":
        notes.append("colour turned to grey")
        return luminance(apply_color_lut(stored, dataset)[..., :3])
    return _to_grey(stored, dataset, notes)


def _read(data: bytes) -> Dataset:
    """The dataset, after all that can be checked without decoding a pixel.

    The file's meta group is read alone and then the rest, where pydicom's `dcmread` would first inflate a deflated
    file: 1 MB may become 2 GB.
    """
    file = BytesIO(data)
    meta, encoding = _read_meta(file)
    dataset = read_dataset(file, *encoding)
    dataset.file_meta = meta
    dataset.set_original_encoding(*encoding, dataset._character_set)
    _check(dataset, meta.TransferSyntaxUID)
    return dataset


def read_header(file: BinaryIO) -> Dataset:
    """The elements before the pixels, as they are, the patient's included: not to be kept. Raises BadImage."""
    with refusing_damage():
        _, encoding = _read_meta(file)
        return read_dataset(file, *encoding, stop_when=lambda tag, vr, length: tag >> 16 >= 0x7FE0)


def _read_meta(file: BinaryIO) -> tuple[FileMetaDataset, tuple[bool, bool]]:
    """The meta group, and whether what follows has implicit types and is little-endian."""
    read_preamble(file, False)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2))
    syntax = meta.get("TransferSyntaxUID")
    if not isinstance(syntax, UID):
        raise refuse("damaged", "This DICOM file does not say how its pixels are written.")
    if syntax in _DEFLATED:
        raise refuse("dicom_deflated")
    if not syntax.is_transfer_syntax:
        return meta, (True, True)
    return meta, (bool(syntax.is_implicit_VR), bool(syntax.is_little_endian))


def _check(dataset: Dataset, syntax: UID) -> None:
    if not any(name in dataset for name in _PIXELS) or "Rows" not in dataset:
        raise refuse("dicom_no_image")
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    rows, columns, n_samples = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)
    check_size(columns, rows, columns * rows * n_samples * max(1, n_frames))
    if n_frames != 1:
        raise refuse("dicom_many_frames", f"{n_frames} frames.")
    try:
        is_readable = get_decoder(syntax).is_available
    except NotImplementedError:
        is_readable = False
    if not is_readable:
        raise refuse("dicom_compression", f"{syntax.name}." if syntax.name != syntax else "")


def _check_codestream(dataset: Dataset) -> None:
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        claimed = n_values(get_frame(dataset.PixelData, 0, number_of_frames=1))
        if claimed > 3 * MAX_PIXELS:
            raise refuse("too_many_pixels", "The compressed picture is larger than the header says.")


def _decode(dataset: Dataset) -> NDArray[Any]:
    try:
        return np.asarray(pixel_array(dataset))
    except RuntimeError as error:  # pydicom's, when every decoder gave up: it does not say whose fault it was
        raise refuse("dicom_undecodable") from error


def _to_grey(stored: NDArray[Any], dataset: Dataset, notes: list[str]) -> Grey:
    padding = _padding(stored, dataset)
    values = stored
    for name, apply in (("modality table", apply_modality_lut), ("display window", apply_voi_lut)):
        try:
            values = apply(values, dataset)
        except _BAD_TABLE:
            notes.append(f"its {name} is damaged and was left out")
    grey = stretch(np.asarray(values), padding)
    if str(dataset.PhotometricInterpretation) == "MONOCHROME1":
        grey = np.asarray(255 - grey, dtype=np.uint8)
        notes.append("inverted, for it is MONOCHROME1")
    if padding is not None:
        grey[padding] = 0
    return grey


def _padding(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """Pixels that the machine filled in around the picture, by their stored value (DICOM PS3.3 C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((first, last if isinstance(last, int) else first))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() and not padding.all() else None


def _header_notes(dataset: Dataset) -> list[str]:
    notes = []
    modality = str(dataset.get("Modality") or "")
    if modality not in _RADIOGRAPHS and modality.isalnum():
        notes.append(f"the header says modality {modality[:16]}, not a radiograph")
    if str(dataset.get("BurnedInAnnotation") or "") == "YES":
        notes.append("the header says that text is burned into the picture; it may name the patient")
    return notes
