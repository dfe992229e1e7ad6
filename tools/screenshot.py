"""Writes the picture of the live page into docs/: a drifting scenario, the day after a drift has set in.

Run as `make screenshot`; it wants a Chromium.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "live.png"
PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}"
WATCHED = "scenario=covariate_shift&from=2024-09-30&speed=21600&mix=customer_age_bracket&start"
EVENTS = 2600
"""Events that the page has received when it is taken."""


def main() -> None:
    """Start a server, look at the page, and end the server."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("There is no Chromium: make browser installs it.")
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "simtom_pipeline", "serve", "--port", str(PORT)]
        server = subprocess.Popen(command, env=os.environ | {"SIMTOM_HOME": home})  # noqa: S603
        try:
            _wait()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1180, "height": 1010})
                page.goto(f"{ADDRESS}/?{WATCHED}")
                _wait_for_events(page)
                PICTURE.parent.mkdir(exist_ok=True)
                page.screenshot(path=PICTURE)
                browser.close()
        finally:
            server.terminate()
            server.wait()


def _wait_for_events(page: Page) -> None:
    """Until the page has received `EVENTS`."""
    for _ in range(1200):
        if int(page.inner_text("#received").replace(",", "")) >= EVENTS:
            return
        page.wait_for_timeout(100)
    raise SystemExit(f"No picture: {page.inner_text('#said')}")


def _wait() -> None:
    """Until the server answers."""
    for _ in range(100):
        try:
            urlopen(f"{ADDRESS}/health").close()  # noqa: S310  # an address of ours
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{ADDRESS} does not answer.")


if __name__ == "__main__":
    main()
