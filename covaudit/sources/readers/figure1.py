"""Figure 1 COVID-19 chest X-ray data initiative (COVIDNet team, "Figure1-COVID-chestxray-dataset").

Input: `images/<patientid>.<jpg or png>` and `metadata.csv` in Latin-1.
Labels: `finding`, COVID-19 is CVP; an empty one and any other is dropped with a count, for the posts do not say how
they were ruled out.
Metadata: patient (`COVID-00013a` and `COVID-00013b` are one), sex, age, view.
Publication: Wang, Lin, Wong, Scientific Reports 10 (2020) 19549, doi:10.1038/s41598-020-76550-z.
Licence: research use, under the terms in the repository of the initiative.
Population: adults; cases posted by clinicians, several photographed from a screen.
Reference standard: what the clinician wrote in the post.
Tested on real files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of, view_of
from covaudit.sources.readers.files import check_columns, has_columns, images_by_name, read_csv

_NEEDED = ("patientid", "finding")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    table = read_csv(folder / "metadata.csv")
    check_columns(table, _NEEDED, "metadata.csv")
    files, refused = images_by_name(folder / "images")
    by_stem = {path.stem: path for path in files.values()}
    rows = Rows(refused)
    for row in table.to_dict("records"):
        _add(rows, row, by_stem)
    return rows.result()


def _add(rows: Rows, row: Mapping[str, object], by_stem: Mapping[str, Path]) -> None:
    image_id, finding, view = clean(row["patientid"]), clean(row["finding"]), view_of(row.get("view"))
    if not finding:
        rows.drop("no finding is given")
    elif finding.upper() != "COVID-19":
        rows.drop("a finding other than COVID-19")
    elif clean(row.get("modality")) not in ("X-ray", ""):
        rows.drop("not a radiograph")
    elif is_lateral(view):
        rows.drop("a lateral view")
    elif image_id not in by_stem:
        rows.drop("the file is missing")
    else:
        patient = re.sub(r"(?<=\d)[a-z]$", "", image_id)
        sex, age = sex_of(row.get("sex")), age_of(row.get("age"))
        rows.add(image_id, by_stem[image_id], "CVP", patient, view=view, sex=sex, age=age)


def matches(folder: Path) -> bool:
    """A metadata.csv with `patientid` and `finding` but no file's name, beside a folder of images."""
    table = folder / "metadata.csv"
    other = any(has_columns(table, (name,)) for name in ("filename", "imagename"))
    return (folder / "images").is_dir() and has_columns(table, _NEEDED) and not other
