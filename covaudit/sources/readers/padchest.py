"""PadChest: chest radiographs of San Juan Hospital, Alicante (Bustos et al.).

Input: `PADCHEST_chest_x_ray_images_labels_160K_*.csv` and the images (16-bit PNG), in one folder or in the folders 0 to
54 that `ImageDir` names.
Labels: `Labels`: "['normal']" is NOR; pneumonia or atypical pneumonia among them is NCP; the rest is dropped with a
count. Taken 2009 to 2017: no image can be COVID-19, whatever a paper says.
Metadata: patient, sex, age (year of the study less year of birth), view from `Projection`; lateral (L), costal and
excluded projections are dropped with a count.
Publication: Bustos et al., Medical Image Analysis 66 (2020) 101797, doi:10.1016/j.media.2020.101797.
Licence: PadChest data set research use agreement, BIMCV.
Population: children and adults, one Spanish hospital; 67,000 patients.
Reference standard: reports, 27 % labelled by physicians, the rest by a network trained on those.
Tested on a small copy of its layout, not on its files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.errors import BadSource
from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, sex_of, whole
from covaudit.sources.readers.files import check_columns, images_by_name, read_csv

_TABLES = "PADCHEST_chest_x_ray_images_labels*.csv"
_NEEDED = ("ImageID", "PatientID", "Projection", "Labels")
_VIEWS = {"PA": "PA", "AP": "AP", "AP_horizontal": "AP Supine"}
_PNEUMONIA = {"pneumonia", "atypical pneumonia"}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    place = next(iter(sorted(folder.glob(_TABLES))), None)
    if place is None:
        raise BadSource("PadChest needs its table PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv. Put it there.")
    table = read_csv(place)
    check_columns(table, _NEEDED, place.name)
    files, refused = images_by_name(folder)
    rows = Rows(refused)
    for row in table.to_dict("records"):
        _add(rows, row, files)
    return rows.result()


def _add(rows: Rows, row: Mapping[str, object], files: Mapping[str, Path]) -> None:
    name, projection, label = clean(row["ImageID"]), clean(row["Projection"]), _label_of(clean(row["Labels"]))
    if projection in ("L", "COSTAL"):
        rows.drop("a lateral or costal view")
    elif projection not in _VIEWS:
        rows.drop("an excluded or unknown projection")
    elif label is None:
        rows.drop("findings other than normal and pneumonia")
    elif name not in files:
        rows.drop("the file is missing")
    else:
        known = {"view": _VIEWS[projection], "sex": sex_of(row.get("PatientSex_DICOM")), "age": _age(row)}
        rows.add(name, files[name], label, whole(row["PatientID"]) or name, **known)


def _label_of(written: str) -> str | None:
    names = {name.strip() for name in re.findall(r"'([^']*)'", written)} - {""}
    return "NOR" if names == {"normal"} else "NCP" if names & _PNEUMONIA else None


def _age(row: Mapping[str, object]) -> float | None:
    """StudyDate_DICOM is 20140915, PatientBirth 1942 or 1942.0."""
    study, birth = whole(row.get("StudyDate_DICOM"))[:4], whole(row.get("PatientBirth"))[:4]
    return age_of(int(study) - int(birth)) if study.isdigit() and birth.isdigit() else None


def matches(folder: Path) -> bool:
    """Its table is there."""
    return next(folder.glob(_TABLES), None) is not None
