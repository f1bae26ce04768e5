"""The files of the page: nothing from elsewhere, nothing inline, everything that is named is there."""

import re

from tests.web.conftest import ROOT, Gallery

STATIC = ROOT / "web" / "static"
MODULES = sorted(STATIC.glob("*.js"))
HTML = (STATIC / "index.html").read_text("utf-8")


def test_the_page_has_nothing_inline() -> None:
    assert not re.findall(r"\son\w+=|style=|javascript:", HTML)
    assert re.findall(r"<script[^>]*>(.*?)</script>", HTML, re.DOTALL) == [""]
    assert "<style" not in HTML


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        found = re.findall(r"https?://[^\s\"'`)]+", file.read_text("utf-8"))
        assert [address for address in found if address != "http://www.w3.org/2000/svg"] == [], file.name


def test_each_module_and_file_that_is_named_is_there() -> None:
    named = {name for module in MODULES for name in re.findall(r'from "\./([\w.]+)"', module.read_text("utf-8"))}
    named |= set(re.findall(r"/static/([\w.]+)", HTML))

    assert named == {file.name for file in STATIC.iterdir()} - {"index.html"}


def test_each_element_that_a_module_looks_for_is_in_the_page() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', HTML))
    looked_for = {name for module in MODULES for name in re.findall(r'byId\("([\w-]+)"\)', module.read_text("utf-8"))}

    assert looked_for <= ids


def test_no_module_makes_html_of_text() -> None:
    for module in MODULES:
        assert not re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", module.read_text("utf-8")
        )


def test_the_page_and_its_files_are_served_and_asked_for_again(gallery: Gallery) -> None:
    page = gallery.http.get("/")
    script = gallery.http.get("/static/page.js")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    again = gallery.http.get("/static/page.js", headers={"if-none-match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("../app.py", "%2e%2e%2fapp.py", "none.js"):
        assert gallery.http.get(f"/static/{name}").status_code == 404
