"""CheXpert: chest radiographs of Stanford Hospital (Irvin et al.).

Input: `CheXpert-v1.0*/{train,valid}/patient*/study*/view*_{frontal,lateral}.jpg` with `train.csv` and `valid.csv`; the
folder given is the one that holds the tables.
Labels: No Finding 1 is NOR, Pneumonia 1 is NCP; the rest is dropped with a count. Pneumonia -1 is "uncertain": dropped
with a count, unless the column mapping says `uncertain=positive` (the paper's U-Ones), which makes it NCP.
Metadata: patient from the path, sex, age (0 means not known), view (AP or PA). Lateral views are dropped with a count.
Publication: Irvin et al., AAAI 2019, doi:10.1609/aaai.v33i01.3301590.
Licence: Stanford University data set research use agreement.
Population: adults mostly, in- and out-patients of one hospital, 2002 to 2017, before COVID-19; 65,240 patients.
Reference standard: a labelling program on radiologists' reports; three radiologists for `valid`.
Tested on a small copy of its layout, not on its files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.errors import BadSource, clip
from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, sex_of, view_of
from covaudit.sources.readers.files import check_columns, has_columns, list_images, read_csv

_NEEDED = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "No Finding", "Pneumonia")
_TABLES = ("train.csv", "valid.csv")
_PLACE = re.compile(r"(?:^|.*/)((?:train|valid)/(patient\d+)/.+)")
_POLICIES = ("drop", "positive")


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout. Raises BadSource without a table, and for another policy."""
    policy = columns.get("uncertain", "drop")
    if policy not in _POLICIES:
        raise BadSource(f"uncertain is '{clip(policy)}'. CheXpert's uncertain labels can be: {', '.join(_POLICIES)}.")
    places = [folder / name for name in _TABLES if (folder / name).is_file()]
    if not places:
        raise BadSource("CheXpert needs its table train.csv beside the folder train. Give the folder that holds it.")
    listing = list_images(folder)
    root = folder.resolve()
    files = {path.relative_to(root).as_posix(): path for path in listing.paths}
    rows = Rows(listing.refused)
    for place in places:
        table = read_csv(place)
        check_columns(table, _NEEDED, place.name)
        for row in table.to_dict("records"):
            _add(rows, row, files, policy)
    return rows.result()


def _add(rows: Rows, row: Mapping[str, object], files: Mapping[str, Path], policy: str) -> None:
    place = _PLACE.fullmatch(clean(row["Path"]))
    label = _label_of(row, policy)
    if clean(row["Frontal/Lateral"]) == "Lateral":
        rows.drop("a lateral view")
    elif label is None:
        is_unsure = _number(row["Pneumonia"]) == -1
        rows.drop("pneumonia is uncertain" if is_unsure else "findings other than No Finding and Pneumonia")
    elif place is None or place[1] not in files:
        rows.drop("the file is missing")
    else:
        age = age_of(row["Age"]) or None
        known = {"view": view_of(row["AP/PA"]), "sex": sex_of(row["Sex"]), "age": age}
        rows.add(place[1], files[place[1]], label, place[2], **known)


def _label_of(row: Mapping[str, object], policy: str) -> str | None:
    pneumonia = _number(row["Pneumonia"])
    if pneumonia == 1 or (pneumonia == -1 and policy == "positive"):
        return "NCP"
    return "NOR" if _number(row["No Finding"]) == 1 and pneumonia != -1 else None


def _number(cell: object) -> float | None:
    try:
        return float(clean(cell))
    except ValueError:
        return None


def matches(folder: Path) -> bool:
    """One of its tables, with its columns."""
    return any(has_columns(folder / name, _NEEDED) for name in _TABLES)
