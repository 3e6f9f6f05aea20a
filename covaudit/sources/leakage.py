"""Leakage: the same person or the same film on more than one side of a split."""

from typing import NamedTuple

import pandas as pd

from covaudit.domain.experiment import Experiment
from covaudit.errors import Leaks
from covaudit.sources.groups import patient_keys


class Leakage(NamedTuple):
    """What is on more than one side of train, val, internal and external.

    `patients` and `families` (near duplicates, where the indexes say which images are) are counted once each, `files`
    are different images with the same content; `images` are the rows that any of these holds in a test or in val.
    """

    patients: int
    files: int
    families: int
    images: int

    def __bool__(self) -> bool:
        return bool(self.patients or self.files or self.families)

    @property
    def words(self) -> str:
        """'3 patients and 1 file are on more than one side of the split'."""
        parts = [
            f"{n:,} {name if n == 1 else plural}"
            for n, name, plural in (
                (self.patients, "patient", "patients"), (self.files, "file", "files"),
                (self.families, "group of near duplicates", "groups of near duplicates"),
            )
            if n
        ]  # fmt: skip
        said = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"
        return f"{said} {'is' if self.patients + self.files + self.families == 1 else 'are'} on more than one side"


def find_leakage(samples: pd.DataFrame) -> Leakage:
    """From the samples of one fold: columns source, patient, sha256, split and, where known, family."""
    keys = {"patient": patient_keys(samples), "file": samples["sha256"].astype(object)}
    if "family" in samples.columns:
        keys["family"] = samples["family"]
    leaking = {name: _on_several_sides(key, samples["split"]) for name, key in keys.items()}
    n = {name: int(key[leaking[name]].nunique()) for name, key in keys.items()}
    touched = pd.concat(leaking.values(), axis=1).any(axis=1) & (samples["split"] != "train")
    return Leakage(n["patient"], n["file"], n.get("family", 0), int(touched.sum()))


def check_leakage(experiment: Experiment, found: Leakage) -> None:
    """Raises Leaks, saying what to do, unless nothing leaks or the experiment says why that is accepted."""
    if found and not experiment.acknowledged.strip():
        raise Leaks(
            f"Leakage: {found.words} of the split, {found.images:,} images of the tests and of validation among them. "
            "Divide by patient (split.method: patient), or write into 'acknowledged' why you accept it; what you write "
            "is kept with the run."
        )


def _on_several_sides(key: pd.Series, split: pd.Series) -> "pd.Series[bool]":
    known = key.notna()
    sides = split[known].groupby(key[known]).nunique()
    return key.isin(sides.index[sides > 1]) & known
