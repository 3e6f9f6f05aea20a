"""CIDC: the COVID-19 image data collection (Cohen et al., "covid-chestxray-dataset").

Input: `images/*` and `metadata.csv`.
Labels: `finding`, the names of its early and of its later, nested form: COVID-19 is CVP, No Finding is NOR, a bacterial
pneumonia OBP, a viral one OVP, any other pneumonia NCP; the rest is dropped with a count.
Metadata: patient, sex, age, view; lung masks where a folder `lung_masks/<stem>.png` is there (V7 Labs, drawn by
annotators), but not of a film that was cropped after its mask was drawn (see `cidc_masks.py`). Radiographs only: CT
slices and lateral views are dropped with a count.
Publication: Cohen et al., arXiv:2003.11597 and arXiv:2006.11988.
Licence: image by image, see the table's column `license`; research use.
Population: adults mostly, many hospitals and countries, taken from journals and web pages.
Reference standard: what the publication of each image says; mostly RT-PCR, often not stated.
Tested on real files, and on a small copy of the first version's layout.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of, view_of, whole
from covaudit.sources.readers.cidc_masks import masks_in_place
from covaudit.sources.readers.files import check_columns, has_columns, images_by_name, read_csv

_NEEDED = ("patientid", "finding", "filename")
_BY_PART = {
    "OBP": ("bacterial", "streptococcus", "klebsiella", "legionella", "e.coli", "mycoplasma", "chlamydophila"),
    "OVP": ("viral", "sars", "mers-cov", "mers", "varicella", "influenza", "herpes"),
    "NCP": ("pneumonia", "fungal", "pneumocystis", "lipoid", "aspiration"),
}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without the table."""
    table = read_csv(folder / "metadata.csv")
    table.columns = table.columns.str.strip().str.lower()  # the first versions wrote Patientid
    check_columns(table, _NEEDED, "metadata.csv")
    files, refused = images_by_name(folder / "images")
    masks = _masks(folder / "lung_masks", files) if (folder / "lung_masks").is_dir() else {}
    rows = Rows(refused)
    for row in table.to_dict("records"):
        _add(rows, row, files, masks)
    return rows.result()


def label_of(finding: str) -> str | None:
    """The label of 'COVID-19, ARDS' or 'Pneumonia/Viral/SARS'; None for one that has none here."""
    parts = [part.strip().lower() for part in finding.replace(",", "/").split("/")]
    if "covid-19" in parts:
        return "CVP"
    if parts == ["no finding"]:
        return "NOR"
    return next((label for label, names in _BY_PART.items() if set(parts) & set(names)), None)


def _add(rows: Rows, row: Mapping[str, object], files: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
    name, view, label = clean(row["filename"]), view_of(row.get("view")), label_of(clean(row["finding"]))
    if clean(row.get("modality")) not in ("X-ray", ""):
        rows.drop("not a radiograph")
    elif is_lateral(view):
        rows.drop("a lateral view")
    elif label is None:
        rows.drop("a finding without a label here")
    elif name not in files:
        rows.drop("the file is missing")
    else:
        mask = masks.get(name)
        known = {"view": view, "sex": sex_of(row.get("sex")), "age": age_of(row.get("age"))}
        patient = whole(row["patientid"]) or name
        rows.add(name, files[name], label, patient, mask_path=str(mask) if mask else None, **known)


def _masks(folder: Path, films: Mapping[str, Path]) -> dict[str, Path]:
    """The masks that lie on their films, by the films' names."""
    masks, _ = images_by_name(folder)
    return masks_in_place(films, {name: masks[stem] for name in films if (stem := f"{Path(name).stem}.png") in masks})


def matches(folder: Path) -> bool:
    """A metadata.csv with the columns `patientid`, `finding` and `filename`, beside a folder of images."""
    return (folder / "images").is_dir() and has_columns(folder / "metadata.csv", _NEEDED, any_case=True)
