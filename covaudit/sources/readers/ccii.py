"""CCII: CC-CCII, computed tomography slices of the China Consortium of Chest CT Image Investigation (Zhang et al.).

Input: `{NCP,CP,Normal}/<patient>/<scan>/<slice>.{jpg,png}`, also below a folder of its own, and `metadata.csv`.
Labels: the folder. Beware of its names: its NCP is "novel coronavirus pneumonia", CVP here; its CP is "common
pneumonia", NCP here; Normal is NOR. Every slice carries the label of its patient, lesion or not.
Metadata: patient from the path; age and sex from `metadata.csv` (columns patient_id, Age, Sex(Male1/Female2)).
Publication: Zhang et al., Cell 181 (2020) 1423-1433, doi:10.1016/j.cell.2020.04.045.
Licence: research use, see the consortium's page.
Population: adults mostly, hospitals of several Chinese provinces.
Reference standard: RT-PCR for COVID-19; other pneumonia by clinical, laboratory and radiological findings.
Tested on a small copy of its layout, not on its files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, whole
from covaudit.sources.readers.files import list_images, read_csv

_LABELS = {"NCP": "CVP", "CP": "NCP", "Normal": "NOR"}
_SEX = {"1": "M", "2": "F"}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    people = _people(folder)
    rows = Rows()
    for place in _class_folders(folder):
        listing = list_images(place)
        for reason, n in listing.refused.items():
            rows.drop(reason, n)
        root = place.resolve()
        for path in listing.paths:
            parts = path.relative_to(root).parts
            if len(parts) < 3:
                rows.drop("not below a folder of a patient and one of a scan")
                continue
            sex, age = people.get(parts[0], (None, None))
            rows.add("/".join((place.name, *parts)), path, _LABELS[place.name], parts[0], sex=sex, age=age)
    return rows.result()


def _class_folders(folder: Path) -> Iterator[Path]:
    for base in (folder, *(one for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink())):
        yield from (base / name for name in _LABELS if (base / name).is_dir())


def _people(folder: Path) -> dict[str, tuple[str | None, float | None]]:
    place = folder / "metadata.csv"
    if not place.is_file():
        return {}
    return {
        whole(row.get("patient_id")): (_SEX.get(whole(row.get("Sex(Male1/Female2)"))), age_of(clean(row.get("Age"))))
        for row in read_csv(place).to_dict("records")
    }


def matches(folder: Path) -> bool:
    """Two of its folders side by side, here or one folder down, with patients and scans below."""
    found = list(_class_folders(folder))
    return len(found) >= 2 and all(any(path.is_dir() for path in place.glob("*/*")) for place in found)
