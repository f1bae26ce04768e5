"""While the producer runs, the index follows the library: real folder, real broker, real watchdog."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.broker.telemetry import Telemetry
from lookalike.settings import Settings
from producer.service import Service
from tests.producer.conftest import Rest, producing
from tests.producer.files import draw, draw_old
from tests.producer.other_side import OtherSide
from tests.support.waiting import wait_until


@pytest.fixture
def service(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> Iterator[Service]:  # noqa: ARG001
    """A producer that has seen a library with one picture in it."""
    draw_old(library / "first.jpg")
    with producing(settings) as running:
        rest()
        yield running


pytestmark = pytest.mark.usefixtures("service")


def test_a_new_file_goes_through_the_ingest_queue(library: Path, side: OtherSide) -> None:
    draw(library / "album" / "new.jpg")

    wait_until(lambda: "album/new.jpg" in side.files)
    assert [queue for queue, message in side.messages if "album/new.jpg" in message.paths] == ["ingest"]


def test_a_file_that_grows_is_sent_when_it_rests(library: Path, side: OtherSide) -> None:
    with (library / "slow.jpg").open("w") as slow:
        for _ in range(20):
            slow.write("x" * 1000)
            slow.flush()
            time.sleep(0.03)
        assert "slow.jpg" not in side.sent_paths

    wait_until(lambda: "slow.jpg" in side.files)
    assert side.files["slow.jpg"].size_bytes == 20_000
    assert side.sent_paths.count("slow.jpg") == 1


def test_a_changed_file_is_sent_again(library: Path, side: OtherSide) -> None:
    draw(library / "first.jpg", "another picture")

    wait_until(lambda: side.files["first.jpg"].size_bytes == len("another picture"))


def test_a_deleted_file_is_gone(library: Path, side: OtherSide, rest: Rest) -> None:
    draw_old(library / "second.jpg")
    rest()

    (library / "first.jpg").unlink()

    rest()
    assert list(side.files) == ["second.jpg"]


def test_a_renamed_file_travels_with_its_old_name(library: Path, side: OtherSide) -> None:
    embedded = len(side.embedded)

    (library / "first.jpg").rename(library / "renamed.jpg")

    wait_until(lambda: list(side.files) == ["renamed.jpg"])
    assert any(message.paths == ["renamed.jpg"] and message.gone == ["first.jpg"] for _, message in side.messages)
    assert len(side.embedded) == embedded


def test_a_finished_download_is_a_new_file(library: Path, side: OtherSide) -> None:
    draw(library / "photo.jpg.part").rename(library / "photo.jpg")

    wait_until(lambda: "photo.jpg" in side.files)
    assert "photo.jpg.part" not in side.sent_gone


def test_a_renamed_folder_costs_no_inference(library: Path, side: OtherSide, rest: Rest) -> None:
    for number in range(300):
        draw_old(library / "trip" / f"day {number % 3}" / f"{number}.jpg", str(number))
    rest()
    wait_until(lambda: len(side.files) == 301)
    embedded = len(side.embedded)

    (library / "trip").rename(library / "journey")

    wait_until(lambda: not any(path.startswith("trip/") for path in side.files))
    rest()
    assert sum(path.startswith("journey/") for path in side.files) == 300
    assert len(side.embedded) == embedded


def test_a_folder_that_leaves_takes_its_files_along_and_brings_them_back(
    library: Path, side: OtherSide, tmp_path: Path, rest: Rest
) -> None:
    for number in range(40):
        draw_old(library / "trip" / "deep" / f"{number}.jpg", str(number))
    rest()
    wait_until(lambda: len(side.files) == 41)

    (library / "trip").rename(tmp_path / "elsewhere")
    wait_until(lambda: list(side.files) == ["first.jpg"])

    (tmp_path / "elsewhere").rename(library / "back")
    wait_until(lambda: len(side.files) == 41)
    assert sum(path.startswith("back/deep/") for path in side.files) == 40


def test_a_deleted_folder_is_gone_and_a_copied_one_is_there(library: Path, side: OtherSide, rest: Rest) -> None:
    for number in range(40):
        draw_old(library / "trip" / "deep" / f"{number}.jpg", str(number))
    rest()
    shutil.copytree(library / "trip", library / "copy")
    wait_until(lambda: len(side.files) == 81)

    shutil.rmtree(library / "trip")

    wait_until(lambda: len(side.files) == 41)
    assert not any(path.startswith("trip/") for path in side.files)


def test_the_number_of_files_is_exact_once_all_is_at_rest(library: Path, side: OtherSide, rest: Rest) -> None:
    for number in range(50):
        draw(library / str(number) / "a.jpg")
        draw(library / str(number) / "b.txt")
    for number in range(0, 50, 2):
        shutil.rmtree(library / str(number))

    note = rest()

    assert (note.discovered, note.ignored) == (26, 25)
    assert len(side.files) == 26


def test_names_that_are_not_utf8_are_escaped_and_sent_once(
    service: Service, library: Path, side: OtherSide, telemetry: Telemetry, rest: Rest
) -> None:
    draw(library / "caf\udce9.jpg")
    wait_until(lambda: "caf\\xe9.jpg" in side.files)
    rest()
    ended_at, sent = telemetry.read_report().scan_ended_at, len(side.sent_paths)

    service.rescan("the test asks")
    wait_until(lambda: telemetry.read_report().scan_ended_at > ended_at)

    assert (len(side.sent_paths), side.sent_gone) == (sent, [])


def test_links_inside_count_and_links_that_leave_do_not(
    library: Path, side: OtherSide, tmp_path: Path, rest: Rest
) -> None:
    draw(tmp_path / "outside.jpg")
    (library / "album").mkdir()
    (library / "album" / "inside.jpg").symlink_to("../first.jpg")
    (library / "leaves.jpg").symlink_to(tmp_path / "outside.jpg")
    (library / "broken.jpg").symlink_to("nothing.jpg")
    (library / "circle").symlink_to(library)

    note = rest()

    assert (note.discovered, note.ignored) == (2, 3)
    assert sorted(side.files) == ["album/inside.jpg", "first.jpg"]


def test_the_other_hard_link_of_a_file_follows_it_without_an_event(library: Path, side: OtherSide, rest: Rest) -> None:
    """The kernel tells of the name that was written to, whatever other names the inode has."""
    (library / "album").mkdir()
    (library / "album" / "twin.jpg").hardlink_to(library / "first.jpg")
    wait_until(lambda: "album/twin.jpg" in side.files)
    rest()

    for name, content in (("album/twin.jpg", "another picture"), ("first.jpg", "a third one")):
        draw(library / name, content)
        wait_until(lambda content=content: {file.size_bytes for file in side.files.values()} == {len(content)})  # type: ignore[misc]


def test_a_name_that_goes_from_folder_to_folder_leaves_none_of_them_unseen(
    library: Path, side: OtherSide, rest: Rest
) -> None:
    """Programs that write into `tmp` and rename it when it is complete."""
    for number in range(40):
        draw(library / "tmp" / "deep" / "a.jpg", str(number))
        (library / "tmp").rename(library / f"album {number}")
    rest()

    names = {f"album {number}/deep/b.jpg" for number in range(40)}
    for name in names:
        draw(library / name)

    wait_until(lambda: names <= side.files.keys())


def test_a_folder_that_left_and_is_back_at_once_is_seen(
    library: Path, side: OtherSide, tmp_path: Path, rest: Rest
) -> None:
    draw(library / "album" / "deep" / "a.jpg")
    wait_until(lambda: "album/deep/a.jpg" in side.files)
    for _ in range(3):
        (library / "album").rename(tmp_path / "album")
        (tmp_path / "album").rename(library / "album")
    # The kernel's halves of a move that find no other are told half a second later.
    time.sleep(1.0)
    rest()

    draw(library / "album" / "deep" / "b.jpg")

    wait_until(lambda: "album/deep/b.jpg" in side.files)


def test_content_that_changed_behind_its_size_and_mtime_is_sent(library: Path, side: OtherSide, rest: Rest) -> None:
    before = (library / "first.jpg").stat()
    sent = side.sent_paths.count("first.jpg")
    draw(library / "first.jpg", "x" * before.st_size)
    os.utime(library / "first.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))

    wait_until(lambda: side.sent_paths.count("first.jpg") == sent + 1)
    rest()


def test_a_link_follows_the_file_behind_it(library: Path, side: OtherSide, rest: Rest) -> None:
    (library / "link.jpg").symlink_to("first.jpg")
    wait_until(lambda: "link.jpg" in side.files)

    draw(library / "first.jpg", "another picture")
    wait_until(lambda: side.files["link.jpg"].size_bytes == len("another picture"))

    (library / "first.jpg").rename(library / "second.jpg")
    wait_until(lambda: side.files.keys() == {"second.jpg"})

    (library / "second.jpg").rename(library / "first.jpg")
    wait_until(lambda: side.files.keys() == {"first.jpg", "link.jpg"})
    rest()
