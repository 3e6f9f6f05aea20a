"""MGC: COVID-CT, computed tomography slices cut from preprints (Zhao, Zhang, He, Xie, "UCSD-AI4H").

Input: `CT_COVID/*` and `CT_NonCOVID/*`, PNG and JPEG mixed, also each below a folder of its own, as unpacked.
Labels: CVP and NCV from the folder.
Metadata: none here. Patient, from the name: slices of CT_COVID cut from one paper (`<paper>-p12-...`)
count as one patient, as do the cuts `N%0`, `N%1` of one figure of CT_NonCOVID. A paper may show several patients: that
only makes the groups larger.
Publication: Zhao et al. 2020, arXiv:2003.13865; He et al. 2020, doi:10.1101/2020.04.13.20063941.
Licence: not stated for the images, which come from publications; research use.
Population: adults mostly, many hospitals; slices chosen by authors to show a finding.
Reference standard: captions of the figures, read by hand; confirmed by a radiologist.
Tested on real files.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows
from covaudit.sources.readers.files import list_images

_FOLDERS = {"CT_COVID": "CVP", "CT_NonCOVID": "NCV"}
_PAGE = re.compile(r"-p\d+(-|%|$)")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    rows = Rows()
    for place in _class_folders(folder):
        listing, root = list_images(place), place.resolve()
        for reason, n in listing.refused.items():
            rows.drop(reason, n)
        for path in listing.paths:
            image_id = f"{place.name}/{path.relative_to(root).as_posix()}"
            rows.add(image_id, path, _FOLDERS[place.name], f"{place.name}/{patient_of(path.stem)}")
    return rows.result()


def _class_folders(folder: Path) -> Iterator[Path]:
    for base in (folder, *(one for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink())):
        yield from (base / name for name in _FOLDERS if (base / name).is_dir())


def patient_of(stem: str) -> str:
    """The paper of '2020.03.01.20029769-p21-73_1%2', or '102' of '102%1'."""
    page = _PAGE.search(stem)
    return stem[: page.start()] if page else stem.split("%")[0]


def matches(folder: Path) -> bool:
    """Both of its folders, or one, are there, or one folder down."""
    return next(_class_folders(folder), None) is not None
