"""What people do in the gallery, in a real browser."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.web.browser.conftest import SIZES, faults_of, is_narrow
from tests.web.conftest import BROKEN, FIRST, SECOND, TURNED, Gallery

# A name that would be a script in a page that makes HTML of text.
HOSTILE = "<img src=x onerror=alert(1)>.png"


def results(page: Page) -> Locator:
    return page.locator("#results li")


def test_a_click_searches_and_the_address_is_the_search(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#note")).to_contain_text("A varied")
    picture_ = page.get_by_role("link", name=f"Search by {SECOND}", exact=True)

    picture_.click()

    expect(page.locator("#heading")).to_have_text("Most similar")
    expect(page.locator(".similarity").first).to_have_text(re.compile(r"^\d+\.\d %$"))
    assert page.url.endswith("/?like=suns%2Fsuns+1.png")
    page.reload()
    expect(page.locator("#examples .name")).to_have_text("suns 1.png")
    assert is_narrow(page)
    page.go_back()
    expect(page.locator("#heading")).to_have_text("A varied sample")
    assert faults_of(page) == []


def test_keys_move_between_pictures_search_and_mark(page: Page) -> None:
    page.goto(f"/?like={FIRST}")
    expect(results(page).nth(1)).to_be_visible()
    first = results(page).first.locator("a.picture")
    first.focus()

    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.closest('li').dataset.path")
    page.keyboard.press("-")

    expect(page.locator("#examples .unlike .name")).to_have_text(focused.rpartition("/")[2])
    assert "unlike=" in page.url
    expect(page.locator("#examples .like .name")).to_have_text("houses-3.jpg")
    page.get_by_role("button", name=f"Remove {focused}").click()
    expect(page.locator("#examples li")).to_have_count(1)
    assert "unlike=" not in page.url


def test_filters_and_the_threshold_are_in_the_address(page: Page) -> None:
    page.goto(f"/?like={FIRST}")
    if not page.get_by_label("Folder").is_visible():
        page.get_by_text("Only", exact=True).click()

    page.get_by_label("Folder").fill("suns")
    page.get_by_label("Folder").press("Enter")
    expect(results(page)).to_have_count(1)
    page.get_by_role("slider").press("End")

    expect(page.locator("#least")).to_have_text("100 %")
    expect(results(page)).to_have_count(0)
    assert page.url.endswith(f"/?like={FIRST.replace('/', '%2F')}&folder=suns&min=100")


def test_an_image_of_the_visitor_is_searched_by_cut_and_added(page: Page, gallery: Gallery) -> None:
    name = f"brought {SIZES['phone']['width'] == page.viewport_size['width']}.png"  # type: ignore[index]
    page.goto("/")
    page.locator("#file").set_input_files({"name": name, "mimeType": "image/png", "buffer": encoded(picture(71))})
    expect(page.locator(".similarity").first).to_be_visible()
    page.get_by_role("button", name="Search by a piece of your image").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults_of(page) == []

    page.get_by_label("Right").fill("50")
    page.get_by_label("Right").press("Tab")
    page.get_by_role("button", name="Search by the piece").click()

    expect(page.locator("#examples .name")).to_have_text("your image (a piece)")
    assert "box=0%2C0%2C0.5%2C1" in page.url
    page.get_by_label("Place in the library").fill("nowhere")
    page.get_by_role("button", name="Add to the library").click()
    expect(page.locator("#note")).to_contain_text("'nowhere' is no folder of the library")
    page.get_by_label("Place in the library").fill("houses/")
    page.get_by_role("button", name="Add to the library").click()
    expect(page.locator("#note")).to_contain_text(f"houses/{name} is in the library")
    assert (gallery.library / "houses" / name).is_file()


def test_a_box_is_drawn_with_the_pointer(page: Page) -> None:
    page.goto(f"/?like={FIRST}")
    page.get_by_role("button", name=f"Search by a piece of {FIRST}").click()
    wait_until(lambda: bool(page.evaluate("document.getElementById('whole').naturalWidth")), 10)
    area = page.locator("#canvas").bounding_box()
    assert area is not None

    page.mouse.move(area["x"] + 0.25 * area["width"], area["y"] + 0.5 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.75 * area["width"], area["y"] + 0.9 * area["height"])
    page.mouse.up()
    page.get_by_role("button", name="Search by the piece").click()

    expect(page.locator("#examples .name")).to_have_text("houses-3.jpg (a piece)")
    edges = [float(edge) for edge in re.findall(r"\d\.?\d*", page.url.partition("box=")[2].replace("%2C", ","))]
    assert edges == pytest.approx([0.25, 0.5, 0.75, 0.9], abs=0.02)


def test_the_line_adds_up_and_the_rejected_are_told(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#line")).to_contain_text("seen =")
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+(?= \w)", page.inner_text("#line"))]
    page.get_by_role("button", name=re.compile("rejected")).click()

    expect(page.locator("#rejected-list")).to_contain_text(BROKEN)
    assert numbers[0] == numbers[1] + numbers[2]
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_name_is_text_whatever_is_in_it(page: Page, gallery: Gallery) -> None:
    (gallery.library / HOSTILE).write_bytes(encoded(picture(72)))
    gallery.client.sync([HOSTILE]).result(20)

    page.goto(f"/?like={TURNED}")

    expect(page.get_by_text(HOSTILE)).to_be_visible()
    (gallery.library / HOSTILE).unlink()
    gallery.client.sync([HOSTILE]).result(20)
