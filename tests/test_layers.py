"""Imports point down only, and each layer keeps to its third-party packages (the table of the design)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Layer -> the layers of the project it may import, besides itself and `errors`.
ALLOWED = {
    "domain": set(),
    "sources": {"domain", "metrics"},
    "models": set(),
    "training": {"domain", "sources", "models"},
    "metrics": {"domain"},
    "explain": {"domain", "sources", "models", "training"},
    "audit": {"domain", "metrics", "explain", "training", "sources"},
    "store": {"domain"},
    "figures": {"domain", "metrics"},
    "papers": {"domain", "metrics", "models"},
    "reports": {"domain", "sources", "metrics", "explain", "store", "figures"},
}

# Layer -> third-party packages it must never import.
FORBIDDEN = {
    "domain": {"torch", "pandas", "numpy", "streamlit", "sqlalchemy", "plotly"},
    "sources": {"torch", "streamlit", "sqlalchemy", "dbos"},
    "models": {"streamlit", "pandas", "sqlalchemy", "dbos"},
    "training": {"streamlit", "sqlalchemy", "dbos", "plotly"},
    "metrics": {"torch", "streamlit", "sqlalchemy", "plotly"},
    "explain": {"streamlit", "sqlalchemy", "dbos", "plotly"},
    "audit": {"streamlit", "sqlalchemy", "dbos", "plotly"},
    "store": {"torch", "streamlit", "plotly", "dbos"},
    "jobs": {"streamlit", "plotly"},
    "figures": {"torch", "streamlit", "sqlalchemy", "dbos"},
    "papers": {"torch", "streamlit", "sqlalchemy", "dbos", "plotly"},
    "reports": {"torch", "streamlit", "sqlalchemy", "dbos", "plotly"},
    "ui": {"torch", "timm", "captum", "sqlalchemy", "dbos"},
    "pages": {"torch", "timm", "captum", "sqlalchemy", "dbos"},
}

FILES = sorted(
    path
    for folder in ("covaudit", "models", "pages")
    for path in (ROOT / folder).rglob("*.py")
    if path.stem != "__init__"
)


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "covaudit" and len(parts) > 1 else parts[0]


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    own = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in imported(path):
        first = name.split(".")[0]
        assert first not in FORBIDDEN.get(own, set()), f"{own} must not import {first}"
        if first in ("covaudit", "models", "pages") and own in ALLOWED:
            other = layer_of(name)
            assert other in {own, "archives", "errors", "faults", "files", "settings", *ALLOWED[own]} or name in (
                "covaudit.INTENDED_USE",
                "covaudit.__version__",
            ), f"{own} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_jobs_know_the_engine(path: Path) -> None:
    if layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) != "jobs":
        assert not any(name.split(".")[0] == "dbos" for name in imported(path))


def test_the_web_side_of_jobs_loads_no_torch() -> None:
    for name in ("submit", "engine", "autostart"):
        path = ROOT / "covaudit" / "jobs" / f"{name}.py"
        layers = {layer_of(module) for module in imported(path)}
        assert not layers & {"training", "explain", "audit", "torch"}, name
