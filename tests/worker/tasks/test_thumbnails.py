"""Thumbnails, as search workers make them: of the index and of bytes, within the bounds of every decoder."""

import asyncio
import io
import time
from collections.abc import Iterator

import pytest
from PIL import Image, ImageCms

from lookalike import Refused
from lookalike.client.async_client import AsyncClient
from lookalike.errors import LookalikeError
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import DEADLY_PX, SLOW_PX, System, stopped

ORIENTATION = 0x0112


@pytest.fixture
def path(system: System) -> Iterator[str]:
    name = system.path(900, "thumbnail.png", width=400)
    system.client.sync([name]).result(20)
    yield name
    (system.root / name).unlink()


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_a_file_of_the_index_becomes_a_small_jpeg(system: System, path: str) -> None:
    made = system.client.thumbnail(path, 100).result(20)

    assert (made.format, made.width_px, made.height_px) == ("PNG", 400, 48)
    with opened(made.jpeg) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 12))


def test_bytes_are_turned_and_converted_to_srgb(system: System) -> None:
    exif = picture(1).getexif()
    exif[ORIENTATION] = 6
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    turned = system.client.thumbnail(encoded(picture(1), "JPEG", exif=exif), 64).result(20)
    odd = system.client.thumbnail(encoded(picture(1), "JPEG", icc_profile=swapped), 64).result(20)

    assert (turned.width_px, turned.height_px) == (48, 64)
    with opened(turned.jpeg) as image:
        assert image.size == (48, 64)
        assert "icc_profile" not in image.info
        assert not image.getexif()
    assert odd.width_px == 64


def test_a_small_picture_is_not_made_larger(system: System) -> None:
    with opened(system.client.thumbnail(encoded(picture(2)), 1024).result(20).jpeg) as image:
        assert image.size == (64, 48)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("none.png", "'none.png' is not in the index"),
        ("../x.png", "not a path inside the library"),
        (b"text", "not an image of a known format"),
        (b"", "the file is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_reason(system: System, image: str | bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        system.client.thumbnail(image).result(20)


@pytest.mark.parametrize("side_px", [0, 1025])
def test_sides_have_bounds(system: System, side_px: int) -> None:
    with pytest.raises(Refused, match="side_px"):
        system.client.thumbnail("a.png", side_px)


def test_a_rejected_file_is_not_opened_again(system: System) -> None:
    (system.root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    system.client.sync(["broken.png"]).result(20)

    with pytest.raises(Refused, match="was rejected"):
        system.client.thumbnail("broken.png").result(20)


@pytest.mark.parametrize("width_px", [DEADLY_PX, SLOW_PX])
def test_bytes_that_kill_or_hang_two_processes_are_not_opened_again(system: System, width_px: int) -> None:
    """The decode timeout of this worker is 2 s."""
    deadly = encoded(picture(width_px, (width_px, 48)))
    reasons = []
    for _ in range(3):
        with pytest.raises(LookalikeError) as refused:
            system.client.thumbnail(deadly, timeout_s=30).result(30)
        reasons.append(str(refused.value))

    assert "died over it" in reasons[0]
    assert "died over it" in reasons[1]
    assert "died or hung twice" in reasons[2]
    wait_until(lambda: system.client.thumbnail(encoded(picture(3))).result(20), 30)


def test_a_search_goes_before_thumbnails_that_were_asked_for_earlier(system: System, path: str) -> None:
    with stopped(system):
        drawn = [system.client.thumbnail(path, 100 + at) for at in range(6)]
        found = system.client.search(path, limit=1)
    found.result(20)

    left = system.redis.llen(system.settings.keys.thumbnails)
    assert left >= 4, "the worker held one, and took the search before the rest"
    assert all(job.result(20).jpeg for job in drawn)


def test_what_no_worker_draws_in_time_expires(system: System, path: str) -> None:
    with stopped(system):
        late = system.client.thumbnail(path, timeout_s=0.2)
        time.sleep(0.3)

    with pytest.raises(LookalikeError):
        late.result(20)


def test_it_is_awaited(system: System, path: str) -> None:
    async def drawn() -> str:
        async with AsyncClient(system.settings) as client:
            return (await client.thumbnail(path)).format

    assert asyncio.run(drawn()) == "PNG"
