"""Downloads. A cell that a spreadsheet would run as a formula is made text."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from covaudit import INTENDED_USE
from covaudit.tables import guarded


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """CSV with the intended use as its last column; text that begins like a formula gets an apostrophe in front."""
    safe = frame.rename(columns=_safe).assign(intended_use=INTENDED_USE)
    for name in safe.columns[safe.dtypes.map(lambda kind: not pd.api.types.is_numeric_dtype(kind))]:
        safe[name] = safe[name].map(_safe)
    text: str = safe.to_csv(index=False)
    return text.encode()


def _safe(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value


def json_bytes(value: dict[str, Any]) -> bytes:
    """Indented JSON that begins with the intended use."""
    return json.dumps({"intended_use": INTENDED_USE, **value}, indent=2, ensure_ascii=False).encode()


def download(label: str, data: bytes | Callable[[], bytes], file_name: str, mime: str) -> None:
    """A button that hands out a file without drawing the page again; a function makes it when it is asked for."""
    st.download_button(
        label, data, file_name, mime, icon=":material/download:", on_click="ignore", key=f"save_{file_name}"
    )
