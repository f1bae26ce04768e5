"""What people do with near-duplicates, in a real browser."""

import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, expect
from redis import Redis

from lookalike.broker.found_groups import FoundGroups
from lookalike.duplicates.groups import FileFacts, Group, Pair
from lookalike.pictures.alignment import align
from lookalike.redis_keys import Keys
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.web.browser.conftest import faults_of, is_narrow
from tests.web.conftest import Gallery

FOLDER = "twins in a page"
TWINS = tuple(f"{FOLDER}/{name}.png" for name in ("one", "copied", "written anew"))
ALIGN = """async (paths) => {
  const { align, inWords } = await import("/static/alignment.js");
  const [first, second] = await Promise.all(paths.map(async (path) => {
    const image = new Image();
    image.src = `/api/v1/thumbnails/${path}`;
    await image.decode();
    return image;
  }));
  return inWords(align(first, second));
}"""


def write_groups(gallery: Gallery, job: str, count: int) -> None:
    """What a job finds: groups of two files that are not there any more."""
    groups = []
    for number in range(count):
        files = [
            FileFacts(
                path=f"gone/{number}-{side}.jpg", sha256=f"{number:063x}{side}", size_bytes=1000 + side, mtime_ns=side,
                width_px=40, height_px=30, format="JPEG",
            )
            for side in (0, 1)
        ]  # fmt: skip
        a, b = (file.path for file in files)
        pairs = [Pair(a=a, b=b, label="near", similarity=0.9)]
        groups.append(Group(label="near", centre=a, paths=[a, b], pairs=pairs, files=files))
    with Redis.from_url(gallery.environment["REDIS_URL"]) as redis:
        FoundGroups(redis, Keys("lookalike")).write(job, groups, "", whole=False)


def pairs(page: Page) -> Locator:
    """Those of the twins; others may be left in the index."""
    return page.locator(f".pair[data-a^='{FOLDER}/']")


@pytest.fixture(scope="module")
def twins(gallery: Gallery) -> Iterator[None]:
    """Files of one picture: the first, the same bytes, and the same pixels in other bytes."""
    (gallery.library / TWINS[0]).parent.mkdir()
    for name, level in zip(TWINS, (6, 6, 1), strict=True):
        (gallery.library / name).write_bytes(encoded(picture(61, (400, 300)), compress_level=level))
    gallery.client.sync(TWINS).result(20)
    yield
    for name in TWINS:
        (gallery.library / name).unlink()
    gallery.client.sync(TWINS).result(20)


@pytest.mark.usefixtures("twins")
def test_duplicates_are_looked_for_seen_and_judged_by_a_key(page: Page, gallery: Gallery) -> None:
    page.goto("/duplicates")
    page.get_by_role("button", name="Look for duplicates").click()
    expect(pairs(page)).to_have_count(2, timeout=30_000)
    pairs(page).first.scroll_into_view_if_needed()
    expect(pairs(page).first.locator(".difference figcaption")).to_have_text("0.0 % apart")
    assert is_narrow(page)
    assert faults_of(page) == []

    pairs(page).first.focus()
    page.keyboard.press("b")

    said = pairs(page).first.get_by_role("button", name="Keep both")
    expect(said).to_have_attribute("aria-pressed", "true")
    expect(pairs(page).nth(1)).to_be_focused()
    expect(pairs(page).locator(".reason").filter(has_text="you said: keep both").first).to_be_visible()
    page.reload()
    expect(said).to_have_attribute("aria-pressed", "true")
    pairs(page).first.focus()
    page.keyboard.press("u")
    expect(said).to_have_attribute("aria-pressed", "false")
    wait_until(lambda: all(verdict.verdict == "none" for verdict in gallery.client.verdicts()), 10)


@pytest.mark.usefixtures("twins")
def test_the_plan_goes_by_the_rule_and_is_downloaded(page: Page) -> None:
    page.goto("/duplicates")
    page.get_by_role("button", name="Look for duplicates").click()
    expect(pairs(page)).to_have_count(2, timeout=30_000)

    page.get_by_label("Of each group").select_option("oldest")
    group = page.locator(".group", has=pairs(page))
    expect(group.locator("> .hint")).to_contain_text("changed longest ago")
    page.get_by_label("Move nothing in").fill(FOLDER)
    page.get_by_label("Move nothing in").press("Enter")
    expect(group.locator(".move")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Table").click()

    table = download.value.path().read_text("utf-8")
    assert [name for name in TWINS if f",keep,{name}," not in table] == []


def test_many_groups_are_shown_by_pages(page: Page, gallery: Gallery) -> None:
    write_groups(gallery, "many", 250)

    page.goto("/duplicates?job=many")
    expect(page.locator("#note")).to_contain_text("Groups 1 to 100")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#note")).to_contain_text("Groups 101 to 200")
    page.get_by_role("button", name="Next").click()

    expect(page.locator("#note")).to_contain_text("Groups 201 to 250")
    expect(page.locator(".group")).to_have_count(50)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    assert page.url.endswith("?job=many&page=2")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mirrored", ImageOps.mirror, r"mirrored"),
        ("turned", lambda image: image.rotate(-90, expand=True), r"turned right"),
        ("upside down", lambda image: image.rotate(180), r"upside down"),
        ("cut", lambda image: image.crop((64, 32, 384, 288)), r"(4[89]|5[0-4]) % of it"),
    ],
)
def test_a_copy_lies_where_it_was_taken_from(
    page: Page, gallery: Gallery, name: str, change: Callable[[Image.Image], Image.Image], words: str
) -> None:
    """What the page says of the second picture; sheets are drawn by the same method."""
    whole = picture(62, (512, 320))
    for path, image in (("laid.png", whole), (f"{name}.png", change(whole))):
        (gallery.library / path).write_bytes(encoded(image))
    gallery.client.sync(["laid.png", f"{name}.png"]).result(20)
    page.goto("/duplicates")

    said = page.evaluate(ALIGN, ["laid.png", f"{name}.png"])

    assert re.fullmatch(words, said)
    assert re.fullmatch(words.replace(" %", "%"), align(whole, change(whole)).words)
