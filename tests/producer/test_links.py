"""Links are remembered with what is behind them, as long as they are there."""

from producer.links import Links


def test_links_are_found_by_what_they_lead_to() -> None:
    links = Links()
    links.saw("a link.jpg", "file.jpg")
    links.saw("another.jpg", "file.jpg")
    links.saw("third.jpg", "other.jpg")

    assert links.beside("file.jpg") == ["a link.jpg", "another.jpg"]
    assert links.beside("a link.jpg") == []


def test_a_link_that_leads_elsewhere_now_or_is_gone_is_not_found_any_more() -> None:
    links = Links()
    for link in ("a.jpg", "b.jpg"):
        links.saw(link, "file.jpg")
    links.saw("a.jpg", "other.jpg")
    links.gone("b.jpg")
    links.gone("never seen.jpg")

    assert links.beside("file.jpg") == []
    assert links.beside("other.jpg") == ["a.jpg"]


def test_more_links_than_there_is_room_for_are_left_to_the_scan() -> None:
    links = Links(most_links=1)
    links.saw("a.jpg", "file.jpg")
    links.saw("b.jpg", "file.jpg")
    links.saw("a.jpg", "other.jpg")

    assert (links.beside("file.jpg"), links.beside("other.jpg")) == ([], ["a.jpg"])


def test_names_of_one_inode_are_beside_each_other() -> None:
    links = Links()
    for name, inode in (("a.jpg", (1, 7)), ("b.jpg", (1, 7)), ("other.jpg", (1, 8))):
        links.saw_twin(name, inode, 0)
    links.saw("link.jpg", "a.jpg")

    assert links.beside("a.jpg") == ["link.jpg", "b.jpg"]
    assert links.beside("b.jpg") == ["a.jpg"]
    links.gone("a.jpg")
    assert links.beside("b.jpg") == []
    assert not links.are_incomplete()


def test_a_name_beside_one_that_nobody_knows_is_told_once() -> None:
    links = Links()
    links.saw_twin("b.jpg", (1, 7), 2)
    assert [links.are_incomplete(), links.are_incomplete()] == [True, False]

    links.saw_twin("b.jpg", (1, 7), 2)
    links.saw_twin("a.jpg", (1, 7), 2)
    assert not links.are_incomplete()
