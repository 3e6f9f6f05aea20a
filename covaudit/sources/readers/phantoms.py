"""The phantom sources: made-up radiographs, drawn when they are looked at. `<label>/<number>` names one.

Input: none. Labels: NOR, OBP, OVP, CVP, `N_PATIENTS` of each, one image a patient. Metadata: view and sex.
"""

import hashlib
from functools import cache
from pathlib import Path

import pandas as pd

from covaudit.domain.seeds import derive_seed
from covaudit.sources import phantom
from covaudit.sources.phantom.patient import make_patient

N_PATIENTS = 300
SIZE = 256
FORMAT = "drawn"
SCHEME = "phantom:"


def read(source: str) -> pd.DataFrame:
    """The whole index table of the phantom source, with hashes and sizes."""
    return _table(source).copy()


@cache
def _table(source: str) -> pd.DataFrame:
    rows = [_row(source, label, number) for label in phantom.LABELS for number in range(N_PATIENTS)]
    table = pd.DataFrame(rows)
    table["view"], table["sex"] = table["view"].astype(object), table["sex"].astype(object)
    table["mask_path"] = pd.Series([None] * len(table), dtype=object)
    return table


def seed_of(source: str, label: str, number: int) -> int:
    """The patient's seed: no two sources or labels share a patient."""
    return derive_seed(0, "phantom", source, label, number)


def parse(path: str) -> tuple[str, str, int]:
    """Source, label and number of `phantom:<source>/<label>/<number>`. Raises ValueError."""
    source, label, number = path.removeprefix(SCHEME).split("/")
    return source, label, int(number)


def _row(source: str, label: str, number: int) -> dict[str, object]:
    seed = seed_of(source, label, number)
    patient = make_patient(seed)
    recipe = f"{drawing_version()} {source} {label} {seed} {SIZE}"
    return {
        "source": source,
        "image_id": f"{label}/{number:03d}",
        "path": f"{SCHEME}{source}/{label}/{number}",
        "sha256": hashlib.sha256(recipe.encode()).hexdigest(),
        "label": label,
        "patient": f"{label}-{number:03d}",
        "view": patient.view,
        "sex": "F" if patient.is_female else "M",
        "age": float("nan"),
        "width": SIZE,
        "height": SIZE,
    }


@cache
def drawing_version() -> str:
    """Changes with the code that draws, so that pixels decoded before are not taken for the new ones."""
    code = hashlib.sha256()
    for place in sorted(Path(phantom.__file__).parent.glob("*.py")):
        code.update(place.read_bytes())
    return code.hexdigest()[:16]
