"""One file per collection: its layout, its names and its quirks. Adding one is a file and a line here."""

from collections.abc import Mapping

from covaudit.sources.readers import (
    actualmed,
    bimcv,
    ccii,
    ccxri,
    chestxray8,
    chexpert,
    cidc,
    coronahack,
    cxri,
    dicom_folder,
    figure1,
    folder,
    hannover,
    ictcf,
    mgc,
    padchest,
    scov,
    table,
)
from covaudit.sources.readers.base import Reader, ReaderResult

__all__ = ["READERS", "Reader", "ReaderResult"]

# In the order in which layouts are tried: the collections' own, then the general ones.
READERS: Mapping[str, Reader] = {
    "cxri": Reader(cxri.read, cxri.matches),
    "chestxray8": Reader(chestxray8.read, chestxray8.matches),
    "cidc": Reader(cidc.read, cidc.matches),
    "hannover": Reader(hannover.read, hannover.matches),
    "figure1": Reader(figure1.read, figure1.matches),
    "actualmed": Reader(actualmed.read, actualmed.matches),
    "chexpert": Reader(chexpert.read, chexpert.matches),
    "padchest": Reader(padchest.read, padchest.matches),
    "bimcv": Reader(bimcv.read, bimcv.matches),
    "coronahack": Reader(coronahack.read, coronahack.matches),
    "ccxri": Reader(ccxri.read, ccxri.matches),
    "mgc": Reader(mgc.read, mgc.matches),
    "scov": Reader(scov.read, scov.matches),
    "ccii": Reader(ccii.read, ccii.matches),
    "ictcf": Reader(ictcf.read, ictcf.matches),
    "csv": Reader(table.read, table.matches),
    "dicom": Reader(dicom_folder.read, dicom_folder.matches),
    "folder": Reader(folder.read, folder.matches),
}
