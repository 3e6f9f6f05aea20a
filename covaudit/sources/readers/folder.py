"""A folder with one sub-folder per class.

Input: `<class>/*.png`, also JPEG, TIFF and DICOM; one more level is a patient: `<class>/<patient>/*.png`. Where all
sub-folders are parts such as train, val and test, the classes lie below them, and the parts are not kept.
Labels: the sub-folder's name: a label (`NOR`), a common name of one (`normal`, `covid-19`), or else the name as it is.
Metadata: none. Without a patient's folder each image counts as a patient of its own.
Publication, Licence, Population, Reference standard: not known; state them.
"""

from collections.abc import Mapping
from pathlib import Path

from covaudit.domain.labels import TITLES
from covaudit.sources.readers.base import ReaderResult, Rows
from covaudit.sources.readers.files import list_images

_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_ALIASES = {
    "NOR": ("normal", "healthy", "nofinding", "nofindings", "control"),
    "OBP": ("bacteria", "bacterial", "bacterialpneumonia", "pneumoniabacterial", "pneumoniabacteria"),
    "OVP": ("virus", "viral", "viralpneumonia", "pneumoniaviral", "pneumoniavirus"),
    "NCP": ("pneumonia", "otherpneumonia", "noncovidpneumonia"),
    "NCV": ("noncovid", "noncovid19", "notcovid", "covidnegative", "ctnoncovid"),
    "CVP": ("covid", "covid19", "covidpneumonia", "covid19pneumonia", "sarscov2", "coronavirus", "ctcovid"),
}
_BY_NAME = {name: label for label, names in _ALIASES.items() for name in names}


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    listing = list_images(folder)
    rows = Rows(listing.refused)
    root = folder.resolve()
    depth = 1 if _has_parts(folder) else 0
    for path in listing.paths:
        places = path.relative_to(root).parts
        if len(places) < depth + 2:
            rows.drop("in no sub-folder, so without a class")
            continue
        image_id = "/".join(places)
        patient = "/".join(places[depth:-1]) if len(places) > depth + 2 else image_id
        rows.add(image_id, path, label_of(places[depth]), patient)
    return rows.result()


def label_of(name: str) -> str:
    """The label that a class's name stands for."""
    if name.upper() in TITLES:
        return name.upper()
    return _BY_NAME.get("".join(filter(str.isalnum, name.lower())), name)


def _sub_folders(folder: Path) -> list[Path]:
    return [place for place in folder.iterdir() if place.is_dir() and not place.name.startswith(".")]


def _has_parts(folder: Path) -> bool:
    names = {place.name.lower() for place in _sub_folders(folder)}
    return bool(names) and names <= _PARTS


def matches(folder: Path) -> bool:
    """It has a sub-folder with at least one image below."""
    return any(list_images(place).paths for place in _sub_folders(folder))
