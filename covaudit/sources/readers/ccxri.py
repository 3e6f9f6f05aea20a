"""CCXRI: cases of COVID-19 of the Italian Society of Medical and Interventional Radiology (SIRM).

Input: the society publishes each case as a web page, without an archive or a table. Either one folder a case
(`caso-1/`, `covid-19-case-12/`) with the images saved from its page; or the COVID-19 Radiography Database, which took
them over: `COVID/images/*.png` with its list of origins saved as `COVID.metadata.csv` (columns FILE NAME, URL), of
which the rows from sirm.org are read.
Labels: all CVP. Names of CT images (a word TC, TAC or CT) and of lateral views (LL, LAT) are dropped with a count.
Metadata: patient is the case; in the Radiography Database, which does not tell cases, each image counts as one.
Publication: SIRM, COVID-19 database, sirm.org/category/covid-19; Chowdhury et al., IEEE Access 8 (2020) 132665.
Licence: not stated for the images; research use.
Population: adults, hospitals of Italy, from February 2020; cases chosen to teach.
Reference standard: RT-PCR, as each case says.
Tested on a small copy of its layout, not on its files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, clean
from covaudit.sources.readers.files import check_columns, images_by_name, list_images, read_csv

_CASE = re.compile(r"(?:covid[-_ ]?19[-_ ]*)?(?:caso|case)[-_ ]*0*(\d+).*", re.IGNORECASE)
_CT = re.compile(r"(?<![a-z])(?:TC|TAC|CT|HRCT)(?![a-z])", re.IGNORECASE)
_LATERAL = re.compile(r"(?<![a-z])(?:LL|LAT|LATERAL|LATEROLATERALE)(?![a-z])", re.IGNORECASE)
_LIST = "COVID.metadata.csv"


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layouts."""
    place = folder / _LIST
    return _read_list(folder, place) if place.is_file() else _read_cases(folder)


def _read_cases(folder: Path) -> ReaderResult:
    listing = list_images(folder)
    rows = Rows(listing.refused)
    root = folder.resolve()
    for path in listing.paths:
        parts = path.relative_to(root).parts
        case = next((found[1] for part in parts[:-1] if (found := _CASE.fullmatch(part))), None)
        if case is None:
            rows.drop("in no folder of a case")
        elif _CT.search(path.stem):
            rows.drop("not a radiograph")
        elif _LATERAL.search(path.stem):
            rows.drop("a lateral view")
        else:
            rows.add("/".join(parts), path, "CVP", f"case-{case}")
    return rows.result()


def _read_list(folder: Path, place: Path) -> ReaderResult:
    table = read_csv(place)
    check_columns(table, ("FILE NAME", "URL"), place.name)
    files, refused = images_by_name(folder / "COVID" / "images")
    by_stem = {path.stem: path for path in files.values()}
    rows = Rows(refused)
    for row in table.to_dict("records"):
        name = clean(row["FILE NAME"]).removesuffix(".png")
        if "sirm.org" not in clean(row["URL"]).lower():
            rows.drop("an image of another origin than SIRM")
        elif name not in by_stem:
            rows.drop("the file is missing")
        else:
            rows.add(name, by_stem[name], "CVP", name)
    return rows.result()


def matches(folder: Path) -> bool:
    """Folders of cases, or the list of origins."""
    if (folder / _LIST).is_file():
        return True
    return any(one.is_dir() and _CASE.fullmatch(one.name) and list_images(one).paths for one in folder.iterdir())
