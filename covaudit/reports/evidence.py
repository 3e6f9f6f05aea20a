"""The numbers behind a finding, as rows of what and value."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from covaudit.domain.finding import Severity
from covaudit.figures.text import DASH
from covaudit.reports.text import literal, score

SEVERITIES: Mapping[Severity, tuple[str, str]] = {
    Severity.CRITICAL: ("Critical", "strong evidence that the result is a shortcut."),
    Severity.WARNING: ("Warning", "a risk that the data or the result carries."),
    Severity.NOTE: ("Note", "worth knowing."),
    Severity.CLEAR: ("Clear", "looked for and not found, with what could be seen."),
}
"""The word for a severity, and what it means."""

_MEASURED = ("value", "heat")
_BOUNDS = ("low", "high")


def evidence_rows(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested evidence as (what, value), names joined with a dot; an effect stands with its interval and n."""
    return [(literal(name.replace("_", " ")), value) for name, value in _flat(evidence, "")]


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        yield from _of_mapping(value, name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for place, inner in enumerate(value, 1):
            yield from _flat(inner, f"{name} · {place}")
    else:
        yield name, _shown(value)


def _of_mapping(found: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    measured = next((key for key in _MEASURED if all(_is_number(found.get(part)) for part in (key, *_BOUNDS))), None)
    told = {measured, *_BOUNDS, "n"} if measured else set()
    if measured:
        n = f", n {found['n']:,}" if _is_number(found.get("n")) else ""
        yield (
            name or measured,
            f"{score(found[measured])} [{score(found['low'])}, {score(found['high'])}]{n}",
        )
    for key, inner in found.items():
        # An estimate says None of what does not narrow it.
        if key not in told and not (measured and inner is None):
            yield from _flat(inner, f"{name} · {key}" if name else str(key))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: DASH}[value]
    if isinstance(value, float):
        return score(value) if abs(value) >= 0.005 or value == 0 else f"{value:.2g}"
    if isinstance(value, list):
        return literal(", ".join(_shown(item) for item in value), 400)
    return literal(value if isinstance(value, str) else json.dumps(value), 400)
