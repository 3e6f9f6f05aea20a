"""Where sources may live."""

from collections.abc import Iterable
from pathlib import Path

from covaudit.errors import BadSource


def check_inside(path: Path, roots: Iterable[Path]) -> None:
    """Raises BadSource unless the real path lies in one of the roots; no roots means anywhere."""
    allowed = [root.resolve() for root in roots]
    if allowed and not any(path.resolve().is_relative_to(root) for root in allowed):
        raise BadSource(
            "The folder lies outside the folders that sources may live in (COVAUDIT_ROOTS). "
            "Move it into one of them, or add its folder to COVAUDIT_ROOTS."
        )
