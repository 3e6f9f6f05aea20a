"""What a person did wrong, shown as its own sentence where it happened; everything else goes to the log."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from covaudit.errors import CovauditError
from covaudit.store.patience import is_away
from covaudit.ui.text import md_escape

AWAY = (
    "The database does not answer: another program holds it, or its disk is full. Runs go on and lose nothing. "
    "Reload this page in a moment."
)


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show a `CovauditError` raised inside, or a database that does not answer, as a sentence in a red box.

    Other exceptions pass.
    """
    try:
        yield
    except CovauditError as error:
        show_error(error)
    except Exception as error:
        if not is_away(error):
            raise
        show_error(AWAY)


def show_error(error: CovauditError | str) -> None:
    """The sentence of an error, shown literally."""
    st.error(md_escape(error, limit=1200), icon=":material/error:")
