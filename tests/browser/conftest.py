"""A real Chromium on a real server, on loopback only. Without a Chromium these tests are skipped, and say so."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# The default of 5 s is too short while a training shares two cores with the server.
expect.set_options(timeout=30_000)

PROJECT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed, so browser tests were left out"))


class Server:
    """The app on a workspace, as `make run` starts it."""

    def __init__(self, workspace: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {"COVAUDIT_WORKSPACE": str(workspace)} | environment
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--server.headless", "true"], cwd=PROJECT, env=self._environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the app did not start within 20 s")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh visitor; any request to another host fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    foreign: list[str] = []
    context.on(
        "request",
        lambda request: foreign.append(request.url) if "://127.0.0.1" not in request.url else None,
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()
    asked = [url for url in foreign if not url.startswith(("data:", "blob:", "about:"))]
    assert asked == []


@pytest.fixture(scope="session")
def demo_server(demo: Any) -> Iterator[Server]:
    """The app on the demo's workspace; it starts nothing by itself."""
    server = Server(demo.workspace, COVAUDIT_AUTOSTART="0")
    yield server
    server.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start the app on any workspace; stopped at the end of the test."""
    servers: list[Server] = []

    def start(workspace: Path, **environment: str) -> Server:
        servers.append(Server(workspace, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
