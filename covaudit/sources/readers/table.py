"""A CSV file with a column mapping: the reader `csv`.

Input: a folder with one CSV file, or the CSV file itself; the images lie beside it or below.
Labels: the column mapped to `label`; a common name of a label counts as that label, any other stays as it is.
Metadata: the columns mapped to patient, view, sex and age. The mapping goes from our names (image, label, patient,
view, sex, age) to the file's; without one, columns of these names are used.
Paths: relative to the CSV file's folder. A path that is absolute, a URL or leads out of the folder is refused.
Publication, Licence, Population, Reference standard: not known; state them.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from covaudit.errors import BadSource, clip
from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, said_of, sex_of, view_of
from covaudit.sources.readers.files import OUTSIDE, read_csv
from covaudit.sources.readers.folder import label_of

NAMES = ("image", "label", "patient", "view", "sex", "age")
_ALSO = {
    "image": ("path", "file", "filename", "image_path"),
    "label": ("class", "finding", "diagnosis"),
    "patient": ("patient_id", "patientid"),
}


_Line = tuple[int, dict[str, str]]  # its number in the file, and our names' values


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout; `folder` may be the CSV file. Raises BadSource."""
    place = _find_table(folder)
    table = read_csv(place)
    chosen = choose_columns(list(table.columns), columns)
    rows, refused = Rows(), _Refused()
    root = place.parent.resolve()
    lines = [
        (number, {name: clean(cells[column]) for name, column in chosen.items()})
        for number, cells in enumerate(table.to_dict("records"), start=2)  # line 1 holds the names
    ]
    for number, values in _without_twins(lines, refused):
        _add(rows, refused, root, number, values)
    for reason, numbers in refused.lines.items():
        rows.drop(f"{reason} (rows {said_of(map(str, sorted(numbers)))})", len(numbers))
    return rows.result()


def choose_columns(header: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Our names to those of the file. Raises BadSource for a mapping that does not fit."""
    unknown = sorted(set(columns) - set(NAMES))
    if unknown:
        raise BadSource(f"A column mapping may name {', '.join(NAMES)}; '{clip(unknown[0])}' is none of them.")
    absent = sorted(set(columns.values()) - set(header))
    if absent:
        raise BadSource(f"The CSV file has no column '{clip(absent[0])}'. It has {clip(', '.join(header), 200)}.")
    by_name = {name.strip().lower(): name for name in reversed(header)}
    chosen = {
        name: by_name[other] for name in NAMES for other in (*reversed(_ALSO.get(name, ())), name) if other in by_name
    }
    chosen |= columns
    missing = [name for name in ("image", "label") if name not in chosen]
    if missing:
        raise BadSource(
            f"The CSV file has no column {' and no column '.join(missing)}; it has {clip(', '.join(header), 200)}. "
            "Map its columns to image and label."
        )
    return chosen


def _without_twins(lines: list[_Line], refused: "_Refused") -> list[_Line]:
    """Each image once; none that has two labels, for nobody can say which is right."""
    by_image: defaultdict[str, list[_Line]] = defaultdict(list)
    kept = [line for line in lines if not line[1]["image"] or not line[1]["label"]]  # told of one by one
    for line in lines:
        if line[1]["image"] and line[1]["label"]:
            by_image[line[1]["image"]].append(line)
    for same in by_image.values():
        labels = {label_of(values["label"]) for _, values in same}
        if len(same) == 1:
            kept += same
        elif len(labels) > 1:
            refused.add("the image is listed with different labels", *(number for number, _ in same))
        else:
            kept.append(same[0])
            refused.add("listed twice", *(number for number, _ in same[1:]))
    return kept


class _Refused:
    """Line numbers by reason."""

    def __init__(self) -> None:
        self.lines: dict[str, list[int]] = {}

    def add(self, reason: str, *lines: int) -> None:
        self.lines.setdefault(reason, []).extend(lines)


def _add(rows: Rows, refused: _Refused, root: Path, line: int, values: Mapping[str, str]) -> None:
    view = view_of(values.get("view"))
    if is_lateral(view):
        rows.drop("a lateral view")
        return
    reason, path = resolve_inside(root, values["image"])
    if path is None or not values["label"]:
        refused.add(reason or "the label is empty", line)
        return
    known = {"view": view, "sex": sex_of(values.get("sex")), "age": age_of(values.get("age"))}
    rows.add(values["image"], path, label_of(values["label"]), values.get("patient") or values["image"], **known)


def resolve_inside(root: Path, written: str) -> tuple[str, Path | None]:
    """The real path of a file below `root`, or why there is none."""
    if not written:
        return "the path is empty", None
    for text in (written, unquote(written)):
        parts = PureWindowsPath(text)  # knows drives and both slashes
        if "\0" in text or "://" in text or text.startswith("file:") or parts.drive or parts.root or text[0] == "~":
            return "the path is absolute or a URL", None
        if ".." in parts.parts:
            return "the path leads out of the folder", None
    path = (root / written).resolve()
    if not path.is_relative_to(root):
        return OUTSIDE, None
    return ("", path) if path.is_file() else ("the file is missing", None)


def _find_table(folder: Path) -> Path:
    if folder.is_file():
        return folder
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        found = said_of(clip(table.name) for table in tables) or "none"
        raise BadSource(f"The folder must hold one CSV file; it holds {found}. Give the path of the CSV file itself.")
    return tables[0]


def matches(folder: Path) -> bool:
    """A CSV file, or a folder with just one whose columns can be guessed."""
    try:
        choose_columns(list(read_csv(_find_table(folder)).columns), {})
    except BadSource:
        return False
    return True
