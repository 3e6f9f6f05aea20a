"""Pictures of every page with the demo's data: `make screenshots`.

They land in `build/screenshots`, at 1280 and 390 pixels, light and dark; a workspace with the demo may be named.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

PROJECT = Path(__file__).parents[2]
OUT = PROJECT / "build" / "screenshots"
SIZES = ((1280, 900), (390, 844))


def load_conftest() -> Any:
    spec = importlib.util.spec_from_file_location("browser_conftest", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of_demo(workspace: Path) -> dict[str, str]:
    """Ids of the demo's runs by name; the demo is run first where it is not there yet."""
    command = [sys.executable, "-m", "covaudit", "demo", "--json", "--workspace", str(workspace)]
    printed = json.loads(subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True).stdout)
    return {name: printed[name]["run_id"] for name in ("single", "balanced")}


def addresses(runs: dict[str, str]) -> dict[str, str]:
    single, balanced = runs["single"], runs["balanced"]
    return {
        "overview": "",
        "sources": "sources",
        "compose": "compose",
        "jobs": f"jobs?run={single}",
        "results": f"results?run={single}",
        "heat_maps": f"heat_maps?run={single}",
        "findings": f"findings?run={single}",
        "compare": f"compare?runs={single},{balanced}",
        "predict": f"predict?run={single}",
    }


def settle(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(1500)


def shoot(browser: Browser, url: str, pages: dict[str, str]) -> None:
    for width, height in SIZES:
        for theme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
            page = context.new_page()
            for name, address in pages.items():
                page.goto(f"{url}/{address}")
                page.get_by_role("heading", level=1).wait_for()
                settle(page)
                if name == "predict":
                    page.get_by_role("combobox").last.click()
                    page.get_by_role("option").first.click()
                    page.keyboard.press("Escape")
                    settle(page)
                # Streamlit scrolls inside the page: make the window as tall as what is in it.
                tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                page.set_viewport_size({"width": width, "height": max(height, int(tall))})
                settle(page)
                page.screenshot(path=OUT / f"{name}-{width}-{theme}.png")
                page.set_viewport_size({"width": width, "height": height})
            context.close()


def main(workspace: Path) -> None:
    conftest = load_conftest()
    OUT.mkdir(parents=True, exist_ok=True)
    runs = run_of_demo(workspace)
    server = conftest.Server(workspace, COVAUDIT_AUTOSTART="0")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=conftest.CHROMIUM, args=conftest.ARGUMENTS)
            shoot(browser, server.url, addresses(runs))
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT / "workspace")
