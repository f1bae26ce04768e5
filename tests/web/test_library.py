"""What the index knows, originals and thumbnails, over HTTP."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import encoded, picture
from tests.web.conftest import BROKEN, FIRST, SECOND, TURNED, Gallery

THUMBNAIL = f"/api/v1/thumbnails/{FIRST}"


def test_the_index_is_paged_and_filtered(gallery: Gallery) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = gallery.http.get("/api/v1/images", params={"limit": "2", "status": "indexed", **after}).json()
        seen += [file["path"] for file in page["files"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert {FIRST, SECOND, TURNED} <= set(seen)
    assert len(seen) == len(set(seen))
    in_folder = gallery.http.get("/api/v1/images", params={"folder": "suns"}).json()["files"]
    assert [file["path"] for file in in_folder] == [SECOND]


def test_one_file_is_known_or_not(gallery: Gallery) -> None:
    assert gallery.http.get(f"/api/v1/images/{SECOND}").json()["status"] == "indexed"
    missing = gallery.http.get("/api/v1/images/none.jpg")
    assert (missing.status_code, missing.json()["detail"]) == (404, "'none.jpg' is not in the index.")


def test_what_was_rejected_has_its_reason(gallery: Gallery) -> None:
    reasons = {file["path"]: file["reason"] for file in gallery.http.get("/api/v1/rejected").json()["files"]}

    assert "incomplete" in reasons[BROKEN]


def test_what_is_ignored_is_told_with_its_rule(gallery: Gallery) -> None:
    (gallery.library / "notes.txt").write_text("hello")

    ignored = gallery.http.get("/api/v1/ignored").json()

    assert {"path": "notes.txt", "rule": "LOOKALIKE_EXTENSIONS"} in ignored["ignored"]
    assert gallery.http.get("/api/v1/ignored", params={"limit": 1}).json()["next"] in (1, None)


def test_an_original_is_sent_as_it_is_and_in_a_sandbox(gallery: Gallery) -> None:
    found = gallery.http.get(f"/api/v1/files/{FIRST}")

    assert found.content == (gallery.library / FIRST).read_bytes()
    assert found.headers["content-type"] == "image/jpeg"
    assert found.headers["content-security-policy"].startswith("sandbox")
    assert found.headers["x-content-type-options"] == "nosniff"
    again = gallery.http.get(f"/api/v1/files/{FIRST}", headers={"if-none-match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("route", ["files", "thumbnails", "images"])
@pytest.mark.parametrize(
    "path", ["%2e%2e/data/running.json", "..%2f..%2fetc/passwd", "%2fetc%2fpasswd", "a%00.jpg", "%2e"]
)
def test_no_path_leads_out_of_the_library(gallery: Gallery, route: str, path: str) -> None:
    refused = gallery.http.get(f"/api/v1/{route}/{path}")

    assert refused.status_code in (404, 422)
    assert refused.headers["content-type"] == "application/problem+json"


def test_what_the_index_does_not_know_is_not_sent(gallery: Gallery, tmp_path: Path) -> None:
    (gallery.library / "private.txt").write_text("secret")
    (gallery.library / "link.jpg").unlink(missing_ok=True)
    (tmp_path / "outside.jpg").write_bytes(encoded(picture(1), "JPEG"))
    (gallery.library / "link.jpg").symlink_to(tmp_path / "outside.jpg")

    assert gallery.http.get("/api/v1/files/private.txt").status_code == 404
    assert gallery.http.get("/api/v1/files/link.jpg").status_code == 404
    assert gallery.http.get("/api/v1/thumbnails/private.txt").status_code == 422
    assert gallery.http.get("/api/v1/thumbnails/link.jpg").status_code == 404


def test_a_thumbnail_is_small_upright_and_asked_for_once(gallery: Gallery) -> None:
    turned = gallery.http.get(f"/api/v1/thumbnails/{TURNED}", params={"side_px": 128})

    with Image.open(io.BytesIO(turned.content)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (96, 128), "RGB")
        assert not image.getexif()
    headers = {"if-none-match": turned.headers["etag"]}
    again = gallery.http.get(f"/api/v1/thumbnails/{TURNED}", params={"side_px": 128}, headers=headers)
    assert again.status_code == 304


def test_a_thumbnail_that_is_kept_needs_no_worker(gallery: Gallery) -> None:
    first = gallery.http.get(THUMBNAIL)

    with gallery.worker_stopped():
        second = gallery.http.get(THUMBNAIL)

    assert (second.status_code, second.content) == (200, first.content)
    assert any(gallery.data.joinpath("thumbnails").rglob("*.jpg"))


def test_a_changed_file_has_another_thumbnail(gallery: Gallery) -> None:
    path = gallery.library / "changing.png"
    path.write_bytes(encoded(picture(20)))
    gallery.client.sync(["changing.png"]).result(20)
    first = gallery.http.get("/api/v1/thumbnails/changing.png")

    path.write_bytes(encoded(picture(21, (80, 80))))
    second = gallery.http.get("/api/v1/thumbnails/changing.png")

    assert first.headers["etag"] != second.headers["etag"]
    assert first.content != second.content


def test_sizes_are_few(gallery: Gallery) -> None:
    refused = gallery.http.get(THUMBNAIL, params={"side_px": 300})

    assert refused.status_code == 422
    assert "128, 256, 512, 1024" in refused.json()["detail"]
