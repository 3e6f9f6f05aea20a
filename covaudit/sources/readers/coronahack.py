"""CoronaHack: chest radiographs gathered from Kermany et al. and Cohen et al. (Kaggle, P. Govindaraj), paper 2's data.

Input: `Chest_xray_Corona_Metadata.csv` and `Coronahack-Chest-XRay-Dataset/{train,test}/*`, the folder of images once
or twice in the path.
Labels: `Label` Normal is NOR; "Pnemonia" (so spelled) by `Label_2_Virus_category` and `Label_1_Virus_category`:
COVID-19 is CVP, SARS and any other virus OVP, bacteria and Streptococcus OBP, none NCP. ARDS and Stress-Smoking have no
label here and are dropped with a count. Paper 2 counts SARS (4 images) as COVID and drops Streptococcus (5).
Metadata: none but the names. Patient: `personN` and `IM-NNNN` as in CXRI, else the name. A column `View`, which paper 2
added, drops what is not Front.
Publication: Kaggle, praveengovi/coronahack-chest-xraydataset; used by paper 2, experiments A, B and C.
Licence: that of each image's own source: CC BY 4.0 for Kermany's, image by image for Cohen's.
Population: children of one to five years for all but COVID-19 and SARS, which are adults'.
Reference standard: that of each image's own source.
Tested on a small copy of its layout, not on its files.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, clean
from covaudit.sources.readers.cxri import patient_of
from covaudit.sources.readers.files import check_columns, images_by_name, read_csv

_TABLE = "Chest_xray_Corona_Metadata.csv"
_NEEDED = ("X_ray_image_name", "Label")
_CAUSES = {
    "COVID-19": "CVP", "SARS": "OVP", "Virus": "OVP", "bacteria": "OBP", "Streptococcus": "OBP",
    "ARDS": None, "Stress-Smoking": None, "": "NCP",
}  # fmt: skip


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    table = read_csv(folder / _TABLE)
    check_columns(table, _NEEDED, _TABLE)
    files, refused = images_by_name(folder)
    rows = Rows(refused)
    for row in table.to_dict("records"):
        name, label = clean(row["X_ray_image_name"]), _label_of(row)
        if label is None:
            rows.drop("a finding without a label here")
        elif clean(row.get("View")) not in ("Front", ""):
            rows.drop("a lateral view")
        elif name not in files:
            rows.drop("the file is missing")
        else:
            rows.add(name, files[name], label, patient_of(name) or name)
    return rows.result()


def _label_of(row: Mapping[str, object]) -> str | None:
    if clean(row["Label"]) == "Normal":
        return "NOR"
    cause = clean(row.get("Label_2_Virus_category")) or clean(row.get("Label_1_Virus_category"))
    return _CAUSES.get(cause)


def matches(folder: Path) -> bool:
    """Its table is there."""
    return (folder / _TABLE).is_file()
