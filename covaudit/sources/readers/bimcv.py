"""BIMCV-COVID19+: radiographs of patients with COVID-19, Valencian Region (de la Iglesia Vaya et al.).

Input: BIDS, `sub-S*/ses-E*/mod-rx/sub-S*_ses-E*_run-*_bp-chest_vp-*_*.png` (16-bit), also below a folder of its own,
with `participants.tsv` beside the subjects.
Labels: all CVP: each subject had a positive test, though not each film is of a day with pneumonia.
Metadata: patient from the path, view from `vp-`, sex and age from `participants.tsv` (columns participant, age, gender;
the first of several ages). Lateral views are dropped with a count, CT (NIfTI) is not listed.
Publication: de la Iglesia Vaya et al. 2020, arXiv:2006.01174.
Licence: BIMCV-COVID19 data use agreement; research.
Population: adults mostly, 11 hospitals of one Spanish region, from February 2020.
Reference standard: RT-PCR, or antibodies (IgM, IgG).
Tested on a small copy of its layout, not on its files.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from covaudit.sources.readers.base import ReaderResult, Rows, age_of, clean, is_lateral, sex_of
from covaudit.sources.readers.files import list_images, read_csv

_NAME = re.compile(r"(sub-[A-Za-z0-9]+)_ses-.*?(?:_vp-([a-z]+))?(?:_(?:dx|cr|rx|ct))?\.png", re.IGNORECASE)
_TABLE = "participants.tsv"


def read(folder: Path, columns: Mapping[str, str]) -> ReaderResult:
    """See the module for the layout."""
    people = _people(folder)
    listing = list_images(folder)
    rows = Rows(listing.refused)
    root = folder.resolve()
    for path in listing.paths:
        found = _NAME.fullmatch(path.name)
        if "derivatives" in path.relative_to(root).parts or found is None:
            rows.drop("not named as a film is: sub-..._ses-..._vp-....png")
        elif is_lateral(view := found[2] and found[2].upper()):
            rows.drop("a lateral view")
        elif "_ct." in path.name:
            rows.drop("not a radiograph")
        else:
            sex, age = people.get(found[1], (None, None))
            rows.add(path.relative_to(root).as_posix(), path, "CVP", found[1], view=view, sex=sex, age=age)
    return rows.result()


def _people(folder: Path) -> dict[str, tuple[str | None, float | None]]:
    """Sex and age by subject; empty where there is no table."""
    place = next(iter(sorted((*folder.glob(_TABLE), *folder.glob(f"*/{_TABLE}")))), None)
    if place is None:
        return {}
    known = {}
    for row in read_csv(place).to_dict("records"):
        name = clean(row.get("participant")) or clean(row.get("participant_id"))
        first = re.search(r"\d+", clean(row.get("age")))
        known[name] = sex_of(row.get("gender")), age_of(first[0] if first else None)
    return known


def matches(folder: Path) -> bool:
    """Subjects with sessions, here or one folder down."""
    return any(next(folder.glob(pattern), None) for pattern in ("sub-S*/ses-E*", "*/sub-S*/ses-E*"))
