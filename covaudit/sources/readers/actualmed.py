"""Actualmed COVID-19 chest X-ray data initiative (COVIDNet team, "Actualmed-COVID-chestxray-dataset").

Input: `images/*` and `metadata.csv` with patientid, finding, view, imagename, notes.
Labels: `finding`, COVID-19 is CVP, "No finding" is NOR. An empty one is dropped with a count, and so is a case whose
finding or notes say that it is inconclusive.
Metadata: patient, view; sex and age where the table has them. Lateral views are dropped with a count.
Publication: Wang, Lin, Wong, Scientific Reports 10 (2020) 19549, doi:10.1038/s41598-020-76550-z.
Licence: research use, under the terms in the repository of the initiative.
Population: adults, one company's hospitals in Spain, spring 2020.
Reference standard: as the hospital stated with the film; not given case by case.
Tested on a small copy of its layout, not on its files.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of, view_of, whole
from covaudit.sources.readers.files import check_columns, has_columns, images_by_name, read_csv

_NEEDED = ("patientid", "finding", "imagename")
_LABELS = {"covid-19": "CVP", "no finding": "NOR"}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    table = read_csv(folder / "metadata.csv")
    check_columns(table, _NEEDED, "metadata.csv")
    files, refused = images_by_name(folder / "images")
    rows = Rows(refused)
    for row in table.to_dict("records"):
        _add(rows, row, files)
    return rows.result()


def _add(rows: Rows, row: Mapping[str, object], files: Mapping[str, Path]) -> None:
    name, finding, view = clean(row["imagename"]), clean(row["finding"]).lower(), view_of(row.get("view"))
    if "inconclusive" in f"{finding} {clean(row.get('notes')).lower()}":
        rows.drop("an inconclusive case")
    elif not finding:
        rows.drop("no finding is given")
    elif finding not in _LABELS:
        rows.drop("a finding other than COVID-19 and No finding")
    elif is_lateral(view):
        rows.drop("a lateral view")
    elif name not in files:
        rows.drop("the file is missing")
    else:
        known = {"view": view, "sex": sex_of(row.get("sex")), "age": age_of(row.get("age"))}
        rows.add(name, files[name], _LABELS[finding], whole(row["patientid"]) or name, **known)


def matches(folder: Path) -> bool:
    """A metadata.csv with the column `imagename`, beside a folder of images."""
    return (folder / "images").is_dir() and has_columns(folder / "metadata.csv", _NEEDED)
