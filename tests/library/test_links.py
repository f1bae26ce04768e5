"""Links are remembered with what is behind them, as long as they are there."""

from pathlib import Path

from lookalike.library.folder import FolderLibrary
from lookalike.library.links import Links, hops_inside
from lookalike.library.reader import LibraryReader
from lookalike.library.rules import Candidates


def test_links_are_found_by_what_they_lead_to() -> None:
    links = Links()
    links.add_link("a link.jpg", "file.jpg")
    links.add_link("another.jpg", "file.jpg")
    links.add_link("third.jpg", "other.jpg")

    assert links.other_names("file.jpg") == ["a link.jpg", "another.jpg"]
    assert links.other_names("a link.jpg") == []


def test_a_link_that_leads_elsewhere_now_or_is_gone_is_not_found_any_more() -> None:
    links = Links()
    for link in ("a.jpg", "b.jpg"):
        links.add_link(link, "file.jpg")
    links.add_link("a.jpg", "other.jpg")
    links.remove_link("b.jpg")
    links.remove_link("never seen.jpg")

    assert links.other_names("file.jpg") == []
    assert links.other_names("other.jpg") == ["a.jpg"]


def test_more_links_than_there_is_room_for_are_left_to_the_scan() -> None:
    links = Links(max_links=1)
    links.add_link("a.jpg", "file.jpg")
    links.add_link("b.jpg", "file.jpg")
    links.add_link("a.jpg", "other.jpg")

    assert (links.other_names("file.jpg"), links.other_names("other.jpg")) == ([], ["a.jpg"])


def test_names_of_one_inode_find_each_other() -> None:
    links = Links()
    for name, inode in (("a.jpg", (1, 7)), ("b.jpg", (1, 7)), ("other.jpg", (1, 8))):
        links.add_hard_link(name, inode, 0)
    links.add_link("link.jpg", "a.jpg")

    assert links.other_names("a.jpg") == ["link.jpg", "b.jpg"]
    assert links.other_names("b.jpg") == ["a.jpg"]
    links.remove_link("a.jpg")
    assert links.other_names("b.jpg") == []
    assert not links.pop_incomplete()


def test_an_unknown_name_of_an_inode_is_reported_once() -> None:
    links = Links()
    links.add_hard_link("b.jpg", (1, 7), 2)
    assert [links.pop_incomplete(), links.pop_incomplete()] == [True, False]

    links.add_hard_link("b.jpg", (1, 7), 2)
    links.add_hard_link("a.jpg", (1, 7), 2)
    assert not links.pop_incomplete()


def test_a_link_is_found_by_each_name_that_it_leads_through(root: Path) -> None:
    (root / "v1").mkdir()
    (root / "v1" / "p.png").touch()
    (root / "current").symlink_to("v1")
    (root / "shown.png").symlink_to("current/p.png")
    (root / "again.png").symlink_to(root / "shown.png")
    (root / "dots.png").symlink_to("v1/../current/./p.png")
    (root / "out.png").symlink_to("/nowhere/p.png")
    (root / "circle.png").symlink_to("circle.png")

    assert hops_inside(root, root / "shown.png") == ["current"]
    assert hops_inside(root, root / "again.png") == ["shown.png", "current"]
    assert hops_inside(root, root / "dots.png") == ["current"]
    assert hops_inside(root, root / "out.png") == hops_inside(root, root / "circle.png") == []
    (root / "current").unlink()
    # What is missing: when it is back, the link leads somewhere again.
    assert hops_inside(root, root / "again.png") == ["shown.png", "current"]


def test_a_link_has_the_names_it_leads_through_and_its_target() -> None:
    links = Links()
    links.add_link("again.png", "shown.png", "current", "v1/p.png")

    assert [links.other_names(name) for name in ("shown.png", "current", "v1/p.png")] == [["again.png"]] * 3
    links.remove_link("again.png")
    assert links.other_names("current") == []


def test_what_lies_behind_a_link_to_a_folder_is_no_file_of_the_library_for_producer_and_worker(root: Path) -> None:
    """It is found once, under the name of the folder itself; a name from before the folder became a link is gone."""
    (root / "archive").mkdir()
    (root / "archive" / "a.jpg").write_text("picture")
    (root / "archive" / "b.jpg").symlink_to("a.jpg")
    (root / "2020").symlink_to("archive")
    producer, worker = FolderLibrary(root, Candidates(["jpg"])), LibraryReader(root, max_bytes=10)

    assert sorted(file.path for file in producer.files()) == ["archive/a.jpg", "archive/b.jpg"]
    assert list(producer.files("2020")) == []
    for name in ("a.jpg", "b.jpg"):
        assert producer.stat(f"2020/{name}") is None
        assert worker.version(f"2020/{name}") is None
        assert worker.read(f"2020/{name}") is None
        assert producer.is_gone(f"2020/{name}")
        assert worker.is_gone(f"2020/{name}")
        assert producer.stat(f"archive/{name}") == worker.version(f"archive/{name}") is not None
        assert not producer.is_gone(f"archive/{name}")
        assert not worker.is_gone(f"archive/{name}")
