"""SCoV: SARS-CoV-2 CT-scan, computed tomography slices from Sao Paulo (Soares et al.).

Input: `COVID/Covid (N).png` and `non-COVID/Non-Covid (N).png`.
Labels: CVP and NCV from the folder; those of non-COVID have other lung diseases.
Metadata: none. The slices of about 120 patients are released without saying whose they are, so each counts as a patient
of its own: whatever split is chosen, slices of one patient can be on both sides.
Publication: Soares et al. 2020, doi:10.1101/2020.04.24.20078584.
Licence: CC BY-NC-SA 4.0.
Population: adults, hospitals of Sao Paulo, Brazil.
Reference standard: RT-PCR.
Tested on a small copy of its layout, not on its files.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows
from covaudit.sources.readers.files import list_images

_FOLDERS = {"COVID": "CVP", "non-COVID": "NCV"}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    rows = Rows()
    root = folder.resolve()
    for name, label in _FOLDERS.items():
        if not (folder / name).is_dir():
            continue
        listing = list_images(folder / name)
        for reason, n in listing.refused.items():
            rows.drop(reason, n)
        for path in listing.paths:
            image_id = path.relative_to(root).as_posix()
            rows.add(image_id, path, label, image_id)
    return rows.result()


def matches(folder: Path) -> bool:
    """Both folders, with its file names."""
    covid, other = folder / "COVID", folder / "non-COVID"
    return next(covid.glob("Covid (*"), None) is not None and next(other.glob("Non-Covid (*"), None) is not None
