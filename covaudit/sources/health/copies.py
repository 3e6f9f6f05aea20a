"""Checks of pictures that are there more than once, and of patients who are in several places."""

import re
from collections.abc import Iterator
from pathlib import PurePath

import pandas as pd

from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.labels import is_a
from covaudit.sources.health.material import Material, counted, in_words, named

_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
_PARTS |= {"test": "test", "testing": "test"}
_COUNTER = re.compile(r"\d{1,6}|")  # a bare running number is nobody's name


def copies(material: Material) -> Iterator[AuditFinding]:
    """Exact and near duplicates, within sources and across them."""
    table = material.table[material.table["family"].notna()]
    if table.empty:
        yield AuditFinding(
            check="copies", severity=Severity.CLEAR, title="No picture is there twice",
            detail=f"None of {len(material.table):,} files has the bytes of another, and no two with near perceptual "
            "hashes (at most 4 of 64 bits apart) have the same fine detail. Crops and mirror images are not found.",
        )  # fmt: skip
        return
    families = table.groupby("family")
    n_exact = int((table.groupby("sha256")["image_id"].transform("size") > 1).sum())
    is_across = families["source"].transform("nunique") > 1
    yield AuditFinding(
        check="copies",
        severity=Severity.WARNING,
        title=f"Pictures that are there more than once: {families.ngroups:,}, in {len(table):,} files",
        detail=f"By source: {in_words(counted(table['source']))}. {n_exact:,} files are exact copies. Splits keep such "
        "families together; counts of images and patients are still too high by them.",
        evidence={"families": families.ngroups, "files": len(table), "exact copies": n_exact, "images": named(table)},
    )
    if is_across.any():
        rows = table[is_across]
        yield AuditFinding(
            check="copies",
            severity=Severity.CRITICAL,
            title=f"Pictures in more than one source: {rows['family'].nunique():,}",
            detail=f"Sources: {in_words(counted(rows['source']))}. A test on one of them is then no test on unseen "
            "images for a network that was trained on another.",
            evidence={"images": named(rows.sort_values("family"))},
        )


def label_conflicts(material: Material) -> Iterator[AuditFinding]:
    """One picture, or one patient, with labels of which neither is a kind of the other."""
    table = material.table
    rows = _in_conflict(table[table["family"].notna()], "family")
    if len(rows):
        yield AuditFinding(
            check="label_conflicts",
            severity=Severity.CRITICAL,
            title=f"Pictures with two labels that exclude each other: {rows['family'].nunique():,}",
            detail=f"{_labels_of(rows, 'family')}. At least one of them is wrong for the same pixels.",
            evidence={"images": named(rows.sort_values("family"))},
        )
    rows = _in_conflict(table, "patient_key")
    if len(rows):
        yield AuditFinding(
            check="label_conflicts",
            severity=Severity.NOTE,
            title=f"Patients whose images have different labels: {rows['patient_key'].nunique():,}",
            detail=f"{_labels_of(rows, 'patient_key')}. That can be right: a disease comes and goes. A split by "
            "patient keeps their images together.",
            evidence={"patients": rows["patient_key"].nunique(), "images": named(rows.sort_values("patient_key"))},
        )


def patients(material: Material) -> Iterator[AuditFinding]:
    """Patients on both sides of a split that the collection came with, and patients of several sources."""
    table = material.table
    part = table["image_id"].map(_part_of)
    rows = table[part != ""].assign(part=part[part != ""])
    rows = rows[rows.groupby("patient_key")["part"].transform("nunique") > 1]
    if len(rows):
        n = rows["patient_key"].nunique()
        yield AuditFinding(
            check="patients", severity=Severity.WARNING,
            title=f"Patients on both sides of the split that their collection came with: {n:,}",
            detail=f"By source: {in_words(counted(rows.drop_duplicates('patient_key')['source']))}. Folders named "
            "train and test share patients; let CovAudit split by patient instead.",
            evidence={"patients": n, "images": named(rows.sort_values("patient_key"))},
        )  # fmt: skip
    yield from _shared_names(table)


def _shared_names(table: pd.DataFrame) -> Iterator[AuditFinding]:
    people = table.drop_duplicates("patient_key")
    people = people[~people["patient"].astype(str).map(lambda name: bool(_COUNTER.fullmatch(name)))]
    shared = people[people.groupby("patient")["source"].transform("nunique") > 1]
    if len(shared):
        n = shared["patient"].nunique()
        yield AuditFinding(
            check="patients",
            severity=Severity.WARNING,
            title=f"Patient names in more than one source: {n:,}",
            detail=f"Sources: {in_words(counted(shared['source']))}. Where one collection was made from another these "
            "are the same people. Names are taken as unique within a source only, so splits do not keep them together.",
            evidence={"names": n, "sources": counted(shared["source"])},
        )


def _in_conflict(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """The rows of groups that hold two labels of which neither is a kind of the other."""
    several = table[table.groupby(by)["label"].transform("nunique") > 1]
    wrong = [key for key, labels in several.groupby(by)["label"].unique().items() if _exclude(list(labels))]
    return several[several[by].isin(wrong)]


def _exclude(labels: list[str]) -> bool:
    return any(not is_a(a, b) and not is_a(b, a) for a in labels for b in labels)


def _labels_of(rows: pd.DataFrame, by: str) -> str:
    return in_words(counted(" and ".join(sorted(labels)) for labels in rows.groupby(by)["label"].unique()))


def _part_of(image_id: str) -> str:
    """The part that one of the folders of an image says; '' for none."""
    return next((_PARTS[name.lower()] for name in PurePath(image_id).parts[:-1] if name.lower() in _PARTS), "")
