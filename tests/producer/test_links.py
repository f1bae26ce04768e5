"""Links are remembered with what is behind them, as long as they are there."""

from producer.links import Links


def test_links_are_found_by_what_they_lead_to() -> None:
    links = Links()
    links.saw("a link.jpg", "file.jpg")
    links.saw("another.jpg", "file.jpg")
    links.saw("third.jpg", "other.jpg")

    assert links.to("file.jpg") == ["a link.jpg", "another.jpg"]
    assert links.to("a link.jpg") == []


def test_a_link_that_leads_elsewhere_now_or_is_gone_is_not_found_any_more() -> None:
    links = Links()
    for link in ("a.jpg", "b.jpg"):
        links.saw(link, "file.jpg")
    links.saw("a.jpg", "other.jpg")
    links.gone("b.jpg")
    links.gone("never seen.jpg")

    assert links.to("file.jpg") == []
    assert links.to("other.jpg") == ["a.jpg"]


def test_more_links_than_there_is_room_for_are_left_to_the_scan() -> None:
    links = Links(most_links=1)
    links.saw("a.jpg", "file.jpg")
    links.saw("b.jpg", "file.jpg")
    links.saw("a.jpg", "other.jpg")

    assert (links.to("file.jpg"), links.to("other.jpg")) == ([], ["a.jpg"])
