"""What is done with sources as errands: looking at all images of one, and checking several together."""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from covaudit.domain.source import Source
from covaudit.jobs.errands import Errand, Tell, doing
from covaudit.store import Store, artifacts

if TYPE_CHECKING:
    from covaudit.sources.health.report import HealthReport
    from covaudit.sources.index import SourceIndex


def scan_of(source: Source) -> Errand:
    """The errand of looking at every image of a source that is new or has changed."""
    return Errand(f"scan-{_digest([source])}", ("sources", "scan", "--", source.name))


def check_of(sources: Sequence[Source]) -> Errand:
    """The errand of checking sources together; the same for another order of them."""
    names = sorted(source.name for source in sources)
    return Errand(f"check-{_digest(sources)}", ("sources", "check", "--", *names))


def scan(store: Store, source: Source, on_progress: Tell = lambda done, total: None) -> "SourceIndex":
    """Look at every image of a source; phantoms are drawn. Raises BadState when that is being done, BadSource."""
    with doing(store, scan_of(source), on_progress) as tell:
        return _read(store, source, tell)


def check(store: Store, sources: Sequence[Source], on_progress: Tell = lambda done, total: None) -> "HealthReport":
    """Look at every image of sources, check them together and keep the report. Raises BadState, BadSource."""
    from covaudit.sources.health.check import check_sources

    ordered = sorted(sources, key=lambda source: source.name)
    errand = check_of(ordered)
    with doing(store, errand, on_progress) as tell:
        indexes = {source.name: _read(store, source, tell) for source in ordered}
        report = check_sources(indexes, store.index_cache, tell)
        artifacts.write_whole(store.index_cache / f"{errand.key}.json", json.dumps(report.model_dump()).encode())
    return report


def last_report(store: Store, sources: Sequence[Source]) -> "HealthReport | None":
    """What the last check of these sources together found; None when there was none."""
    from covaudit.sources.health.report import HealthReport

    place = store.index_cache / f"{check_of(sources).key}.json"
    try:
        return HealthReport.model_validate(json.loads(place.read_text()))  # NaN stays NaN, unlike in pydantic's JSON
    except (OSError, ValueError):  # none, or one of another version
        return None


def _read(store: Store, source: Source, tell: Tell) -> "SourceIndex":
    from covaudit.sources.index import read_index

    return read_index(source, store.index_cache, store.settings.roots, with_drawn=True, on_progress=tell)


def _digest(sources: Sequence[Source]) -> str:
    """Names may hold anything, so they are hashed."""
    told = json.dumps(sorted([source.name, source.path or ""] for source in sources))
    return hashlib.sha256(told.encode()).hexdigest()[:24]
