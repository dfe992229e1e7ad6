"""A browser without a window, as the tests and the picture of the page use it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def browser() -> Iterator[Browser]:
    """The Chromium of the system."""
    where = shutil.which("chromium") or shutil.which("google-chrome")
    if where is None:
        pytest.fail("There is no Chromium to look at the page with: make browser installs it.", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=where, args=list(QUIET))
        yield chromium
        chromium.close()
