"""Checking sources: the list of checks, run one after the other."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import pandas as pd

from covaudit.domain.finding import AuditFinding
from covaudit.errors import BadSource
from covaudit.sources.duplicates import find_duplicates
from covaudit.sources.health import copies, files, fingerprint, metadata
from covaudit.sources.health.material import Material, stacked
from covaudit.sources.health.report import HealthReport, Image, Twins
from covaudit.sources.index import SourceIndex

CHECKS: tuple[Callable[[Material], Iterator[AuditFinding]], ...] = (
    files.unreadable,
    copies.label_conflicts,
    copies.copies,
    copies.patients,
    files.odd_images,
    files.wrong_extension,
)
MOST_TWINS = 200


def check_sources(
    indexes: Mapping[str, SourceIndex],
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> HealthReport:
    """Everything that can be said of sources before anything is trained.

    `indexes` are complete (nothing pending). `cache` remembers which pixels were compared; `on_progress` hears of that.
    Raises BadSource when there is no image at all.
    """
    table = stacked(indexes)
    if table.empty:
        raise BadSource("There is no image in these sources that can be read. Look at 'sources show' for the reasons.")
    material = Material.of(indexes, find_duplicates(table, cache, on_progress=on_progress))
    predictable = metadata.predictable(material)
    prints = fingerprint.fingerprints(material)
    found = [*fingerprint.tell_apart(prints), *metadata.tell(predictable)]
    found += chain.from_iterable(check(material) for check in CHECKS)
    twins = _twins(material)
    return HealthReport(
        sources=tuple(indexes),
        n_images={name: len(index.table) for name, index in indexes.items()},
        findings=tuple(sorted(found, key=lambda one: one.severity.rank)),
        predictable=tuple(predictable),
        fingerprints=tuple(prints),
        twins=tuple(twins[:MOST_TWINS]),
        n_twins=len(twins),
    )


def _twins(material: Material) -> list[Twins]:
    """Those first that matter most: two labels, two sources, then the likest."""
    table = material.table
    columns = (material.pairs[name].tolist() for name in ("first", "second", "bits", "likeness"))
    pairs: list[tuple[int, int, int, float]] = list(zip(*columns, strict=True))
    for rows in table[table.duplicated("sha256", keep=False)].groupby("sha256").groups.values():
        pairs += [(int(rows[0]), int(row), 0, 1.0) for row in rows[1:]]
    images = table.iloc[[row for pair in pairs for row in pair[:2]]]
    found = []
    for place, (_, _, bits, likeness) in enumerate(pairs):
        first, second = (images.iloc[2 * place + side] for side in (0, 1))
        same = bool(first["sha256"] == second["sha256"])
        found.append(Twins(first=_image(first), second=_image(second), is_same_file=same, bits=bits, likeness=likeness))
    return sorted(found, key=lambda one: (not one.has_two_labels, one.first.source == one.second.source, -one.likeness))


def _image(row: "pd.Series") -> Image:
    return Image(**{name: str(row[name]) for name in ("source", "image_id", "label", "patient")})
