"""Is anything of the test in the training: a patient, a file, a family of copies, or the same film again?

Numbers of a test that shares patients or films with the training are too good (papers' errors E13, E16, F4, F9).
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested, patients_of
from covaudit.audit.words import interval, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.intervals import wilson
from covaudit.sources.roles import has_role, roles_of

Mask = NDArray[np.bool_]

_THUMBNAIL, _COARSE = 32, 4
_BLOCK = 1024


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    samples, roles = evidence.samples, roles_of(evidence.samples)
    tested = has_role(samples, "internal", "external")
    if not tested.any() or not has_role(samples, "train", "val").any():
        yield NotTested("leakage", "No image was trained on, or none was tested.")
        return
    marks = _fingerprints(evidence.pixels)
    by_fold = [
        _shared(samples, marks, np.isin(one, ("train", "val")), np.isin(one, ("internal", "external")))
        for one in roles.T
    ]
    shared = {name: np.logical_or.reduce([one[name] for one in by_fold]) for name in by_fold[0]}
    counts = {name: int(found.sum()) for name, found in shared.items()}
    any_of = np.logical_or.reduce(list(shared.values()))
    yield _finding(counts, int(any_of.sum()), int(tested.sum()), samples[any_of], evidence.experiment.acknowledged)


def _shared(samples: pd.DataFrame, marks: NDArray[np.float32], trained: Mask, tested: Mask) -> dict[str, Mask]:
    """The images (N,) that one network is tested on and that share something with those that it was trained on."""
    keys = {"the patient": pd.Series(patients_of(samples), index=samples.index)}
    columns = {"the same file": "sha256", "a family of copies": "family"}
    keys |= {name: samples[column] for name, column in columns.items() if column in samples}
    shared = {name: tested & key.notna().to_numpy() & key.isin(key[trained].dropna()).to_numpy()
              for name, key in keys.items()}  # fmt: skip
    return shared | {"the same film again": _same_film(marks, trained, tested)}


def _same_film(marks: NDArray[np.float32], trained: Mask, tested: Mask) -> Mask:
    """Test films (N,) whose thumbnail, without its coarse structure, is that of a film of the training."""
    rows, others = np.flatnonzero(tested), marks[trained]
    found = np.zeros(len(marks), dtype=np.bool_)
    if len(others):
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            found[block] = (marks[block] @ others.T).max(axis=1) > rules.SAME_FILM
    return found


def _fingerprints(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, D) vectors of length one: two films' product is the correlation of their finer structure."""
    step = max(1, pixels.shape[-1] // _THUMBNAIL)
    coarse = pixels.shape[-1] // step // _COARSE
    side, even = coarse * _COARSE, coarse * _COARSE * step
    marks = np.empty((len(pixels), side * side), np.float32)
    for row, film in enumerate(pixels):
        small = cv2.resize(film[:even, :even].astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        large = cv2.resize(small, (coarse, coarse), interpolation=cv2.INTER_AREA)
        fine = small - cv2.resize(large, (side, side), interpolation=cv2.INTER_NEAREST)
        marks[row] = fine.ravel() / max(float(np.linalg.norm(fine)), 1e-6)
    return marks


def _finding(counts: dict[str, int], n: int, total: int, rows: pd.DataFrame, reason: str) -> AuditFinding:
    found = wilson(n / total, total)
    evidence = {"shared": counts, "n": total, "value": n / total, "low": found.low, "high": found.high}
    if not n:
        return AuditFinding(
            check="leakage",
            severity=Severity.CLEAR,
            title="No test image is known from the training",
            detail=f"None of {total} test images shares its patient, its file or its film with the training. Copies "
            "that were turned, cropped or mirrored would not have been seen.",
            evidence=evidence,
        )
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    known = f" The reason given when it was queued: {reason}" if reason else ""
    images = [f"{source}/{image}" for source, image in zip(rows["source"], rows["image_id"], strict=True)][:20]
    return AuditFinding(
        check="leakage",
        severity=Severity.WARNING,
        title="Test images are known from the training",
        detail=f"{n} of {total} test images ({percent(n / total)}, {interval(found.low, found.high)}) share something "
        f"with the training: {parts}.{known}",
        evidence=evidence | {"images": images},
    )
