"""What a person does in a browser, from the demo to a run of their own."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from covaudit.domain.experiment import Experiment, Split, Training
from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.task import TASKS

pytestmark = pytest.mark.slow

PAGES = {
    "": "CovAudit",
    "sources": "Sources",
    "compose": "Compose",
    "jobs": "Jobs",
    "results": "Results",
    "heat_maps": "Heat maps",
    "findings": "Findings",
    "compare": "Compare",
    "predict": "Predict",
}


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_by_its_address(page: Page, demo_server: Any, path: str) -> None:
    page.goto(f"{demo_server.url}/{path}")
    expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    settled(page)
    expect(page.get_by_text("Research use only. Not a medical device.").first).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_the_overview_tells_the_story_of_the_demo(page: Page, demo_server: Any) -> None:
    page.goto(demo_server.url)
    settled(page)
    expect(page.get_by_text("The network reads the laterality marker")).to_be_visible()
    expect(page.get_by_text("0.50", exact=True).first).to_be_visible()


def test_a_phone_shows_no_sideways_scroll(page: Page, demo_server: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        page.goto(f"{demo_server.url}/{path}")
        expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_a_text_file_renamed_png_is_refused_in_one_sentence_and_the_others_are_predicted(
    page: Page, demo_server: Any, tmp_path: Path
) -> None:
    fake = tmp_path / "film.png"
    fake.write_text("not an image at all")
    film = tmp_path / "black.png"
    import cv2
    import numpy as np

    cv2.imwrite(str(film), np.tile(np.arange(128, dtype=np.uint8), (128, 1)))
    page.goto(f"{demo_server.url}/predict")
    settled(page)
    page.locator("input[type=file]").set_input_files([str(fake), str(film)])
    expect(page.get_by_text(re.compile("PNG, JPEG, TIFF")).last).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="black.png").or_(page.get_by_text("black.png")).last).to_be_visible()
    settled(page)
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_a_run_survives_the_browser_and_the_app(
    page: Page, serve: Callable[..., Any], tmp_path: Path, quiet_environment: dict[str, str]
) -> None:
    """Import YAML in Compose, start, close the app while it trains, come back to the finished run."""
    labels = ("NOR", "CVP")
    train = Mixture(tuple(Component(source="phantom-a", label=label, limit=40) for label in labels))
    experiment = Experiment(
        name="From the browser",
        task=TASKS["CL2"],
        train=train,
        split=Split(val=0.25, internal=0.25),
        network="resnet18",
        training=Training(image_size=64, epochs=4, batch_size=8),
    )
    file = tmp_path / "mine.yaml"
    file.write_text(experiment.to_yaml())
    command = [sys.executable, "-m", "covaudit"]
    # A finished run first, so that the app does not queue the demo.
    server = serve(tmp_path, COVAUDIT_AUTOSTART="0")
    worker = subprocess.Popen([*command, "worker", "--device", "cpu"], env=quiet_environment, stderr=subprocess.DEVNULL)
    try:
        page.goto(f"{server.url}/compose")
        settled(page)
        page.get_by_text("YAML: keep this experiment, or bring one").click()
        page.locator("input[type=file]").set_input_files(str(file))
        expect(page.get_by_text("mine.yaml").first).to_be_visible()
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_label("Name", exact=True).first).to_have_value("From the browser")
        settled(page)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
        expect(page.get_by_role("heading", name="From the browser")).to_be_visible()
        server.stop()
        deadline = time.monotonic() + 120
        state = ""
        while state not in ("done", "failed") and time.monotonic() < deadline:
            shown = subprocess.run(
                [*command, "show", experiment.id, "--json"], env=quiet_environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            found = re.search(r'"state": "(\w+)"', shown.stdout)
            state = found.group(1) if found else ""
            time.sleep(0.5)
        assert state == "done"
        server.start()
        page.goto(f"{server.url}/results?run={experiment.id}")
        settled(page)
        expect(page.get_by_text("Balanced accuracy").first).to_be_visible()
    finally:
        worker.terminate()
        worker.wait(timeout=30)
