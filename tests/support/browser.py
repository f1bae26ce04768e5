"""A chromium that is installed on this machine, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE_HERE = "no chromium here (Debian: apt install chromium): the pages are not tested in a browser"


def browser_path() -> str | None:
    """Where it is; None without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser_at(path: str) -> Iterator[Browser]:
    """It runs while the block does. Its sandbox needs what containers and root lack; it opens our own pages alone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
