"""python -m covaudit app"""

import os
import sys
from typing import Annotated

import typer

from covaudit.commands.base import open_store


def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen, on this machine only.")] = 8501,
) -> None:
    """Start the app in this terminal, with its workers and, in an empty workspace, the demo. Ctrl-C ends it."""
    from covaudit.jobs import demo
    from covaudit.settings import PROJECT

    store = open_store()
    demo.start_up(store)
    store.close()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    os.chdir(PROJECT)
    os.execv(sys.executable, command)
