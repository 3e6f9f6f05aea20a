"""What a person did wrong, shown as its own sentence where it happened; everything else goes to the log."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from covaudit.errors import CovauditError
from covaudit.ui.text import md_escape


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show a `CovauditError` raised inside as a red box with its sentence. Other exceptions pass."""
    try:
        yield
    except CovauditError as error:
        show_error(error)


def show_error(error: CovauditError | str) -> None:
    """The sentence of an error, shown literally."""
    st.error(md_escape(error, limit=1200), icon=":material/error:")
