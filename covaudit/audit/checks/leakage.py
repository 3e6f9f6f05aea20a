"""Is anything of the test in the training: a patient, a file, a family of copies, or the same film again?

Numbers of a test that shares patients or films with the training are too good (papers' errors E13, E16, F4, F9).
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, patients_of
from covaudit.audit.words import interval, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.intervals import wilson

_THUMBNAIL, _COARSE = 32, 4
_BLOCK = 1024


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    samples = evidence.samples
    trained = samples["split"].isin(["train", "val"]).to_numpy()
    tested = samples["split"].isin(["internal", "external"]).to_numpy()
    if not trained.any() or not tested.any():
        return
    shared = {"the patient": np.isin(patients_of(samples), np.unique(patients_of(samples[trained])))}
    for name, column in (("the same file", "sha256"), ("a family of copies", "family")):
        if column in samples:
            known = samples[column].notna().to_numpy()
            shared[name] = known & samples[column].isin(samples.loc[trained & known, column]).to_numpy()
    shared["the same film again"] = _same_film(evidence, trained, tested)
    counts = {name: int((found & tested).sum()) for name, found in shared.items()}
    any_of = np.logical_or.reduce(list(shared.values())) & tested
    yield _finding(counts, int(any_of.sum()), int(tested.sum()), samples[any_of], evidence.experiment.acknowledged)


def _same_film(evidence: Evidence, trained: NDArray[np.bool_], tested: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Test films (N,) whose thumbnail, without its coarse structure, is that of a film of the training."""
    marks = _fingerprints(evidence.pixels)
    rows, others = np.flatnonzero(tested), marks[trained]
    found = np.zeros(len(marks), dtype=np.bool_)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        found[block] = (marks[block] @ others.T).max(axis=1) > rules.SAME_FILM
    return found


def _fingerprints(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, D) vectors of length one: two films' product is the correlation of their finer structure."""
    side = pixels.shape[-1]
    step = max(1, side // _THUMBNAIL)
    n = side // step
    small = np.stack([_average(film[: n * step, : n * step], step) for film in pixels])
    coarse = np.stack([np.kron(_average(one[: n // _COARSE * _COARSE, : n // _COARSE * _COARSE], _COARSE),
                               np.ones((_COARSE, _COARSE), np.float32)) for one in small])  # fmt: skip
    fine = (small[:, : coarse.shape[1], : coarse.shape[2]] - coarse).reshape(len(pixels), -1)
    length = np.linalg.norm(fine, axis=1, keepdims=True)
    return np.asarray(np.divide(fine, length, out=np.zeros_like(fine), where=length > 0), np.float32)


def _average(film: NDArray[np.generic], step: int) -> NDArray[np.float32]:
    height, width = film.shape[0] // step, film.shape[1] // step
    return np.asarray(film.reshape(height, step, width, step).mean(axis=(1, 3)), np.float32)


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
