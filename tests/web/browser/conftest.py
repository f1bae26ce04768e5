"""A browser, and pages in it as wide as a desk's screen and as a phone."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.browser import NONE_HERE, browser_at, browser_path
from tests.web.conftest import Gallery, running_gallery

SIZES: dict[str, ViewportSize] = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
# On a machine that does other things as well.
expect.set_options(timeout=30_000)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """Not that of the other tests: what people add stays in its index."""
    if browser_path() is None:
        pytest.skip(NONE_HERE)
    with running_gallery(tmp_path_factory.mktemp("visited")) as gallery:
        yield gallery


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        pytest.skip(NONE_HERE)
    with browser_at(path) as browser:
        yield browser


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, gallery: Gallery) -> Iterator[Page]:
    """A page in a fresh profile, which asks no other server, and in which nothing goes wrong unseen."""
    context = browser.new_context(base_url=gallery.url, viewport=SIZES[request.param], reduced_motion="reduce")
    page = context.new_page()
    faults: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda sent: asked.append(sent.url))
    yield page
    context.close()
    # A picture that cannot be opened is a fault of the picture.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []
    assert {url.partition("/api")[0].partition("/static")[0] for url in asked if not url.startswith("blob:")} <= {
        gallery.url,
        *(url for url in asked if url.startswith(f"{gallery.url}/")),
    }


def faults_of(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, in the light and in the dark."""
    found = []
    # What is being replaced is pale.
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        response = Axe().run(page).response
        found += [f"{scheme}: {json.dumps(one)}" for one in response["violations"] if one["impact"] in SERIOUS]
    page.emulate_media(color_scheme="light")
    return found


def is_narrow(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
