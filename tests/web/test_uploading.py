"""Uploads into the library: what is taken, and what leaves nothing behind."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.pictures import encoded, picture
from tests.web.conftest import FIRST, Gallery, web_process

IMAGES = "/api/v1/images"
JPEG = encoded(picture(30), "JPEG")


def bomb() -> bytes:
    """A PNG that would be 3.6 GB as RGB, in a hundred bytes."""
    header = struct.pack(">IIBBBBB", 34_000, 36_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def sent(gallery: Gallery, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    return gallery.http.post(IMAGES, files=[("image", file) for file in files], data=fields)


def test_files_are_written_whole_and_told_with_what_they_are(gallery: Gallery) -> None:
    reply = sent(gallery, ("one.jpg", JPEG), ("two.png", encoded(picture(31))), folder="suns")

    assert reply.status_code == 201, reply.text
    assert [file["path"] for file in reply.json()["files"]] == ["suns/one.jpg", "suns/two.png"]
    assert reply.json()["files"][0] == {
        "path": "suns/one.jpg", "size_bytes": len(JPEG), "format": "JPEG", "width_px": 64, "height_px": 48,
    }  # fmt: skip
    assert (gallery.library / "suns/one.jpg").read_bytes() == JPEG
    assert not [name for name in gallery.names() if "part" in name]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../evil.jpg", "evil.jpg"),
        ("C:\\photos\\win.jpg", "win.jpg"),
        ("...hidden.jpg", "hidden.jpg"),
        ("a<b>|?*:.jpg", "a_b_____.jpg"),
        ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_names_are_made_safe(gallery: Gallery, name: str, stored: str) -> None:
    reply = sent(gallery, (name, JPEG))

    assert [file["path"] for file in reply.json()["files"]] == [stored]
    assert (gallery.library / stored).is_file()
    (gallery.library / stored).unlink()


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ([(FIRST.rpartition("/")[2], JPEG), ("other.jpg", JPEG)], 409, "already"),
        ([("same.jpg", JPEG), ("same.jpg", JPEG)], 409, "Two files"),
        ([("text.jpg", b"I am no image")], 422, "not an image"),
        ([("page.jpg", b"<html><script>alert(1)</script>")], 422, "not an image"),
        ([("png.jpg", encoded(picture(32)))], 422, "holds PNG"),
        ([("bomb.png", bomb())], 422, "LOOKALIKE_MAX_IMAGE_PIXELS"),
        ([("cut.jpg", JPEG[:300])], 422, "cannot be opened"),
        ([("large.jpg", bytes(1_000_001))], 413, "LOOKALIKE_MAX_QUERY_BYTES"),
        ([("program.exe", JPEG)], 422, "LOOKALIKE_EXTENSIONS"),
        ([("noname", JPEG)], 422, "no name for a picture"),
        ([(".jpg", JPEG)], 422, "no name for a picture"),
        ([("rtl\u202egpj.jpg", JPEG)], 422, "no name for a picture"),
        ([("Thumbs.db", JPEG)], 422, "left out"),
        ([(f"{at}.jpg", JPEG) for at in range(5)], 400, "Too many files"),
    ],
)
def test_what_is_refused_writes_nothing(gallery: Gallery, files: Any, status: int, says: str) -> None:
    before = gallery.names()
    fields = {"folder": "houses"} if status == 409 else {}

    refused = sent(gallery, *files, **fields)

    assert (refused.status_code, gallery.names()) == (status, before), refused.text
    assert says in refused.json()["detail"]


@pytest.mark.parametrize("folder", ["..", "../x", "/etc", "none", FIRST])
def test_a_folder_must_be_one_of_the_library(gallery: Gallery, folder: str) -> None:
    before = gallery.names()

    assert sent(gallery, ("new.jpg", JPEG), folder=folder).status_code == 422
    assert gallery.names() == before


def test_a_folder_behind_a_link_is_none_of_the_library(gallery: Gallery, tmp_path: Path) -> None:
    (gallery.library / "leads_out").symlink_to(tmp_path)

    refused = sent(gallery, ("new.jpg", JPEG), folder="leads_out")
    (gallery.library / "leads_out").unlink()

    assert refused.status_code == 422
    assert not any(tmp_path.iterdir())


def test_a_read_only_library_refuses_in_a_sentence(gallery: Gallery, tmp_path: Path) -> None:
    """A bind mount that is read-only, as in the containers; root may write everywhere else."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    (tmp_path / "mounted").mkdir()
    environment = gallery.environment | {"LOOKALIKE_LIBRARY": str(tmp_path / "mounted")}
    command = f"mount --bind {gallery.library} {tmp_path}/mounted && mount -o remount,ro,bind {tmp_path}/mounted"
    within = ["unshare", "--mount", "sh", "-c", f'{command} && exec "$@"', "sh"]
    with web_process(environment, tmp_path / "web.log", within=within) as url:
        refused = httpx.post(url + IMAGES, files={"image": ("new.jpg", JPEG)}, trust_env=False, timeout=20)

    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("The library is read-only for the gallery")
