"""ChestX-ray8 / ChestX-ray14: chest radiographs of adults from the NIH Clinical Center (Wang et al.).

Input: `images/*.png`, or `images_001/images/*.png` and so on, as released.
Labels: `Finding Labels` of `Data_Entry_2017*.csv`: No Finding is NOR, Pneumonia among the findings is NCP; the rest has
no label here and is dropped with a count.
Metadata: patient, age ("058Y" in the first version of the table, 58 in that of 2020), sex, view (PA or AP).
Publication: Wang et al., CVPR 2017, doi:10.1109/CVPR.2017.369.
Licence: free to use with attribution to the NIH Clinical Center.
Population: mostly adults, 1992 to 2015, before COVID-19; 30,805 patients.
Reference standard: findings mined by a program from the radiologists' reports; those of Pneumonia are often wrong.
Tested on real files (the table of 2020), and on a small copy of the first version's layout.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.errors import BadSource
from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of, view_of, whole
from covaudit.sources.readers.files import check_columns, images_by_name, read_csv

_TABLES = "Data_Entry_2017*.csv"
_NEEDED = ("Image Index", "Finding Labels", "Patient ID")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    place = max(folder.glob(_TABLES), default=None)  # the later, corrected version where both are there
    if place is None:
        raise BadSource("ChestX-ray8 needs its table Data_Entry_2017_v2020.csv beside the images. Put it there.")
    table = read_csv(place)
    check_columns(table, _NEEDED, place.name)
    files, refused = images_by_name(folder)
    rows = Rows(refused)
    for row in table.to_dict("records"):
        _add(rows, row, files)
    return rows.result()


def _add(rows: Rows, row: Mapping[str, object], files: Mapping[str, Path]) -> None:
    name, view = clean(row["Image Index"]), view_of(row.get("View Position"))
    findings = clean(row["Finding Labels"]).split("|")
    label = "NOR" if findings == ["No Finding"] else "NCP" if "Pneumonia" in findings else None
    if label is None:
        rows.drop("findings other than No Finding and Pneumonia")
    elif is_lateral(view):
        rows.drop("a lateral view")
    elif name not in files:
        rows.drop("the file is missing")
    else:
        sex, age = sex_of(row.get("Patient Gender") or row.get("Patient Sex")), age_of(row.get("Patient Age"))
        rows.add(name, files[name], label, whole(row["Patient ID"]) or name, view=view, sex=sex, age=age)


def matches(folder: Path) -> bool:
    """Its table is there."""
    return next(folder.glob(_TABLES), None) is not None
