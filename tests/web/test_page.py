"""The files of the pages: nothing from elsewhere, nothing inline, everything that is named is there."""

import re
from pathlib import Path

import pytest

from tests.web.conftest import ROOT, Gallery
from web.pages import HEADER, HEADER_FILE, PAGES

STATIC = ROOT / "web" / "static"
MODULES = sorted(STATIC.glob("*.js"))
HEADER_HTML = (STATIC / HEADER_FILE).read_text("utf-8")
HTML = {
    name: (STATIC / name).read_text("utf-8").replace(HEADER.decode(), HEADER_HTML) for name in sorted(PAGES.values())
}


def modules_of(html: str) -> set[Path]:
    """The modules that a page loads, and what these import."""
    found: set[Path] = set()
    left = [STATIC / name for name in re.findall(r'<script[^>]* src="/static/([\w.]+)"', html)]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += [STATIC / name for name in re.findall(r'from "\./([\w.]+)"', module.read_text("utf-8"))]
    return found


@pytest.mark.parametrize("name", HTML)
def test_a_page_has_nothing_inline(name: str) -> None:
    assert not re.findall(r"\son\w+=|style=|javascript:", HTML[name])
    assert re.findall(r"<script[^>]*>(.*?)</script>", HTML[name], re.DOTALL) == [""]
    assert "<style" not in HTML[name]


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        found = re.findall(r"https?://[^\s\"'`)]+", file.read_text("utf-8"))
        assert [address for address in found if address != "http://www.w3.org/2000/svg"] == [], file.name


def test_each_file_that_is_named_is_there_and_no_other() -> None:
    named = {module.name for html in HTML.values() for module in modules_of(html)}
    named |= {name for html in HTML.values() for name in re.findall(r"/static/([\w.]+)", html)}

    assert named == {file.name for file in STATIC.iterdir()} - {*HTML, HEADER_FILE}


@pytest.mark.parametrize("name", HTML)
def test_each_element_that_a_module_looks_for_is_in_its_page(name: str) -> None:
    ids = re.findall(r'\bid="([\w-]+)"', HTML[name])
    modules = [module.read_text("utf-8") for module in modules_of(HTML[name])]
    looked_for = {found for module in modules for found in re.findall(r'byId\("([\w-]+)"\)', module)}

    assert looked_for <= set(ids)
    assert len(ids) == len(set(ids))


def test_no_module_makes_html_of_text() -> None:
    for module in MODULES:
        assert not re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", module.read_text("utf-8")
        )


def test_the_pages_and_their_files_are_served_and_asked_for_again(gallery: Gallery) -> None:
    script = gallery.http.get("/static/page.js")

    for path, name in PAGES.items():
        page = gallery.http.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.text == HTML[name]
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    again = gallery.http.get("/static/page.js", headers={"if-none-match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("../app.py", "%2e%2e%2fapp.py", "none.js", "index.html", "header.html"):
        assert gallery.http.get(f"/static/{name}").status_code == 404
