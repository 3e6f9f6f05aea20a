"""CXRI: chest radiographs of children from Guangzhou (Kermany et al.).

Input: `chest_xray/{train,test,val}/{NORMAL,PNEUMONIA}/*.jpeg`, or the same without the outer folder.
Labels: NOR from the folder; OBP and OVP from `personN_bacteria_M` and `personN_virus_M`; NCP where the name says none.
Metadata: none but the names. Patient: `personN`, and `IM-NNNN` for normals. Whether `person7_bacteria_1` and
`person7_virus_2`, or `IM-0115-0001` and `NORMAL2-IM-0115-0001`, are one child is nowhere said; they count as one, for
a patient too many on one side does no harm and a patient on both sides does.
Publication: Kermany et al., Cell 172 (2018) 1122-1131, doi:10.1016/j.cell.2018.02.010; data doi:10.17632/rscbjbr9sj.
Licence: CC BY 4.0.
Population: children of one to five years, Guangzhou Women and Children's Medical Center; anterior-posterior.
Reference standard: graded by two physicians, the evaluation set checked by a third; no laboratory result is given.
Tested on real files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows
from covaudit.sources.readers.files import list_images

_PERSON = re.compile(r"person(\d+)_(bacteria|virus)?", re.IGNORECASE)
_NORMAL = re.compile(r"IM-(\d+)", re.IGNORECASE)
_LABELS = {"bacteria": "OBP", "virus": "OVP", None: "NCP"}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    listing = list_images(folder)
    rows = Rows(listing.refused)
    root = folder.resolve()
    for path in listing.paths:
        label, patient = _label_and_patient(path)
        if label is None:
            rows.drop("in no folder named NORMAL or PNEUMONIA")
        else:
            rows.add(path.relative_to(root).as_posix(), path, label, patient or path.stem, view="AP")
    return rows.result()


def _label_and_patient(path: Path) -> tuple[str | None, str | None]:
    kind = path.parent.name.upper()
    if kind == "PNEUMONIA":
        found = _PERSON.match(path.name)
        return _LABELS[found[2].lower() if found and found[2] else None], patient_of(path.name)
    return ("NOR", patient_of(path.name)) if kind == "NORMAL" else (None, None)


def patient_of(name: str) -> str | None:
    """'person7' of 'person7_virus_9.jpeg', 'IM-0115' of 'NORMAL2-IM-0115-0001.jpeg', None of any other name."""
    person, normal = _PERSON.match(name), _NORMAL.search(name)
    return f"person{person[1]}" if person else f"IM-{normal[1]}" if normal else None


def matches(folder: Path) -> bool:
    """A folder PNEUMONIA with personN files somewhere below."""
    for base in (folder, folder / "chest_xray"):
        for part in ("train", "test", "val", "."):
            place = base / part / "PNEUMONIA"
            if place.is_dir() and next(place.glob("person*"), None):
                return True
    return False
