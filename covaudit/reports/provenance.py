"""What another person needs to judge and to repeat a run: code, machine, seeds, hashes, commands."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from covaudit.domain.run import Run
from covaudit.figures.text import DASH, duration
from covaudit.reports.table import Table, of_rows

_PACKAGES = ("torch", "torchvision", "timm", "captum", "numpy", "scikit-learn", "opencv-python-headless", "pydicom")


def facts(run: Run, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and words; what a run does not know of itself is left out."""
    code, machine = summary.get("code", {}), summary.get("machine", {})
    versions = summary.get("packages", {})
    commit = code.get("commit")
    changed = ", with files changed since" if code.get("is_dirty") else ""
    found = {
        "Run": f"{run.id}, attempt {run.attempt}",
        "Queued, started, finished": ", ".join(map(_moment, (run.created, run.started, run.finished))),
        "Took": duration(summary["seconds"]) if "seconds" in summary else None,
        "Device": summary.get("device") or run.device,
        "Machine": ", ".join(
            str(machine[name]) for name in ("processor", "gpu", "driver", "platform") if name in machine
        ),
        "Arithmetic": summary.get("number_format"),
        "CovAudit": summary.get("covaudit"),
        "Commit": f"{commit}{changed}" if commit else None,
        "SHA-256 of the code": code.get("sha256"),
        "Python": summary.get("python"),
        "Packages": ", ".join(f"{name} {versions[name]}" for name in _PACKAGES if name in versions),
        "Weights at the start": summary.get("initialisation"),
        "Parameters": f"{summary['parameters']:,}" if "parameters" in summary else None,
        "Heat maps": _heat(summary.get("heat_map", {})),
        "SHA-256 of the images, split by split": summary.get("samples_sha256"),
    }
    return [(label, str(words)) for label, words in found.items() if words]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else DASH


def _heat(heat: Mapping[str, Any]) -> str:
    return f"{heat['method']} at layer {heat['layer']}, {heat['cells']} cells a side" if heat else ""


def source_hashes(samples: pd.DataFrame) -> Table:
    """One hash a source: SHA-256 of the sorted SHA-256 of its images, a line each."""
    rows = []
    for name, images in samples.groupby("source", sort=True):
        lines = "\n".join(sorted(set(images["sha256"].astype(str))))
        rows.append((str(name), f"{len(images):,}", hashlib.sha256(lines.encode()).hexdigest()))
    return of_rows(
        "Images of each source: SHA-256 of the sorted SHA-256 of its files", ("Source", "Images", "SHA-256"), rows
    )


def file_hashes(files: list[tuple[str, str, int]]) -> Table:
    """The files that the run wrote."""
    rows = [(path, f"{size:,}", digest) for path, digest, size in files]
    return of_rows("Files that the run wrote", ("File", "Bytes", "SHA-256"), rows)
