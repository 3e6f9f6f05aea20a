"""COVID-19 Image Repository of Hannover Medical School (Winther et al.).

Input: `png/<image_id>.png` and `data.csv`.
Labels: all COVID-19, CVP.
Metadata: patient, sex, age (mostly withheld), projection. Lateral views are dropped with a count.
Publication: Winther et al. 2020, doi:10.6084/m9.figshare.12275009.
Licence: CC BY 3.0.
Population: adult in-patients of one German hospital, spring 2020; many bedside films of intensive care.
Reference standard: RT-PCR.
Tested on real files.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of, view_of
from covaudit.sources.readers.files import check_columns, images_by_name, read_csv

_NEEDED = ("patient_id", "image_id")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    table = read_csv(folder / "data.csv")
    check_columns(table, _NEEDED, "data.csv")
    files, refused = images_by_name(folder / "png")
    rows = Rows(refused)
    for row in table.to_dict("records"):
        image_id, view = clean(row["image_id"]), view_of(row.get("projection"))
        path = files.get(f"{image_id}.png")
        if is_lateral(view):
            rows.drop("a lateral view")
        elif path is None:
            rows.drop("the file is missing")
        else:
            patient = clean(row["patient_id"]) or image_id
            rows.add(image_id, path, "CVP", patient, view=view, sex=sex_of(row.get("sex")), age=age_of(row.get("age")))
    return rows.result()


def matches(folder: Path) -> bool:
    """A data.csv beside a folder png."""
    return (folder / "data.csv").is_file() and (folder / "png").is_dir()
