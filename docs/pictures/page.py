"""Pages as small pictures: opened at one size, saved with few colours once all in them is drawn."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
WIDTH_PX, HEIGHT_PX = 1280, 620
COLOURS, KMEANS = 48, 2
SHOWN_WITHIN_MS = 60_000
# Pictures that came are drawn by then.
SETTLED_MS = 1_500


def open_page(browser: Browser, address: str, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> Page:
    """A new page of the size of the pictures."""
    page = browser.new_page(viewport={"width": width_px, "height": height_px}, reduced_motion="reduce")
    page.goto(address)
    return page


def save(page: Page, name: str) -> None:
    """Once all pictures in view are there."""
    page.wait_for_function("[...document.images].every((image) => image.complete || image.loading === 'lazy')")
    page.wait_for_timeout(SETTLED_MS)
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE, kmeans=KMEANS).save(HERE / name, optimize=True)
