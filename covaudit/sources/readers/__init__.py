"""One file per collection: its layout, its names and its quirks. Adding one is a file and a line here."""

from collections.abc import Mapping

from covaudit.sources.readers import chestxray8, cidc, cxri, figure1, folder, hannover, mgc, table
from covaudit.sources.readers.base import Reader, ReaderResult

__all__ = ["READERS", "Reader", "ReaderResult"]

# In the order in which layouts are tried: the collections' own, then the general ones.
READERS: Mapping[str, Reader] = {
    "cxri": Reader(cxri.read, cxri.matches),
    "chestxray8": Reader(chestxray8.read, chestxray8.matches),
    "cidc": Reader(cidc.read, cidc.matches),
    "hannover": Reader(hannover.read, hannover.matches),
    "figure1": Reader(figure1.read, figure1.matches),
    "mgc": Reader(mgc.read, mgc.matches),
    "csv": Reader(table.read, table.matches),
    "folder": Reader(folder.read, folder.matches),
}
