"""The evidence step of a run: its checks, and what they cost beside an epoch of training."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covaudit.audit.evidence import Evidence
from covaudit.audit.report import audit
from covaudit.domain.finding import AuditFinding
from covaudit.domain.run import EpochRecord
from covaudit.jobs.process import Reporter


def audit_run(
    evidence: Evidence, epochs: Sequence[EpochRecord], reporter: Reporter
) -> tuple[list[AuditFinding], dict[str, Any]]:
    """The findings, and for the summary the seconds of each check, the images that they asked the network about, and
    the seconds of an epoch; the log has them too."""
    n_asked, seconds = evidence.cascade.n_maps if evidence.cascade is not None else 0, {}

    def predict(images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        nonlocal n_asked
        n_asked += len(images)
        return evidence.predict(images, folds)

    def on_check(name: str, taken: float) -> None:
        if name == "sanity" and evidence.cascade is not None:
            taken += evidence.cascade.seconds
        seconds[name] = round(taken, 2)
        reporter.log(f"check {name}: {taken:.1f} s")

    findings = audit(evidence._replace(predict=predict), on_check)
    together, epoch = sum(seconds.values()), median([one.seconds for one in epochs]) if epochs else 0.0
    reporter.log(f"all checks: {together:.1f} s, {n_asked} images predicted; an epoch of training took {epoch:.1f} s")
    return findings, {"checks": {"seconds": seconds, "images_predicted": n_asked, "epoch_seconds": round(epoch, 2)}}
