import time

import pytest

from lookalike.library.errors import LibraryOffline
from lookalike.library.objects import StoreFault
from lookalike.library.version import move_key
from tests.library.buckets import PREFIX, Served


def test_candidates_are_listed_by_their_path_below_the_prefix(served: Served) -> None:
    for path in ("a.jpg", "sub/b c+d%é~#.jpg", "x\\x5cy.jpg", "notes.txt", "raw/c.jpg", ".hidden/d.jpg"):
        served.put(path)
    served.bucket.put("elsewhere/e.jpg", b"picture")
    served.bucket.put(f"{PREFIX}-too/f.jpg", b"picture")

    found = {file.path for file in served.library().files()}

    assert found == {"a.jpg", "sub/b c+d%é~#.jpg", "x\\x5cy.jpg"}
    assert dict(served.library().ignored()).keys() == {"notes.txt", "raw/c.jpg", ".hidden/d.jpg"}


def test_listing_and_status_tell_the_same_version(served: Served) -> None:
    served.put("a.jpg")
    library = served.library()

    (listed,) = library.files()

    assert library.stat("a.jpg") == listed.version
    assert listed.version.size_bytes == len(b"picture")
    assert abs(listed.version.mtime_ns / 1e9 - time.time()) < 60


def test_another_content_is_another_version_within_the_same_second(served: Served) -> None:
    served.put("a.jpg", b"one way")
    library = served.library()
    before = library.stat("a.jpg")

    served.put("a.jpg", b"another")

    assert library.stat("a.jpg") != before


def test_a_moved_object_is_known_by_its_etag_and_size(served: Served) -> None:
    served.put("a.jpg")
    before = served.library().stat("a.jpg")
    served.bucket.move(f"{PREFIX}/a.jpg", f"{PREFIX}/b/a.jpg")

    after = served.library().stat("b/a.jpg")

    assert before is not None
    assert after is not None
    assert move_key(before) == move_key(after)


def test_more_objects_than_one_page_holds_are_listed_in_pages(served: Served) -> None:
    for number in range(1010):
        served.put(f"{number}.jpg", b"x")
    library = served.library()

    count = library.count(lambda: False)

    assert count is not None
    assert count.discovered == 1010
    assert served.store.seen.requests["LIST"] == 2
    assert len({file.path for file in library.files()}) == 1010


def test_in_a_scan_only_what_was_not_listed_is_asked_for(served: Served) -> None:
    for name in ("a.jpg", "b.jpg"):
        served.put(name)
    library = served.library()
    library.count(lambda: False)
    asked = served.store.seen.requests["GET"]

    assert not library.is_missing("a.jpg")
    assert served.store.seen.requests["GET"] == asked
    assert library.is_missing("gone.jpg")
    assert served.store.seen.requests["GET"] == asked + 1


def test_a_listing_that_ends_early_lets_nothing_be_missing(served: Served) -> None:
    for number in range(10):
        served.put(f"{number}.jpg")
    served.faults.cut_listings = 1.0
    library = served.library()

    count = library.count(lambda: False)

    assert count is not None
    assert count.discovered == 5
    assert not any(library.is_missing(f"{number}.jpg") for number in range(10))


def test_an_empty_library_is_empty_and_nothing_of_it_is_gone(served: Served) -> None:
    served.put("a.jpg")
    served.faults.empty_listings = True

    assert served.library().absence() == "is empty"
    assert not served.library().is_gone("a.jpg")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("ExpiredToken", r"cannot be read: its keys are refused \(ExpiredToken\)"),
        ("AccessDenied", r"cannot be read: access is denied \(AccessDenied\)"),
    ],
)
def test_refused_keys_are_told_and_let_nothing_be_gone(served: Served, code: str, why: str) -> None:
    served.put("a.jpg")
    served.faults.denied = code
    library = served.library()

    with pytest.raises(LibraryOffline, match=why):
        list(library.files())
    with pytest.raises(LibraryOffline, match=why):
        library.count(lambda: False)
    assert library.stat("a.jpg") is None
    assert not library.is_gone("a.jpg")
    assert not library.is_gone("never-there.jpg")


def test_a_bucket_that_is_not_there_is_missing_and_none_of_its_keys_is_gone(served: Served) -> None:
    other = Served(type(served.bucket)(served.bucket.url, "never-made"), served.store).library()

    assert other.absence() == "is missing (NoSuchBucket)"
    assert not other.is_gone("a.jpg")


def test_failures_that_pass_are_not_noticed(served: Served) -> None:
    for number in range(20):
        served.put(f"{number}.jpg")
    served.faults.throttled = served.faults.failing = 0.2
    objects = served.objects()
    objects.retry_s = 20.0

    found = [listed.path for _ in range(10) for page in objects.pages() for listed in page]

    assert len(found) == 200
    assert served.store.seen.faults["SlowDown"] > 0


def test_failures_that_last_are_told(served: Served) -> None:
    served.put("a.jpg")
    served.faults.throttled = 1.0

    assert served.library().absence() == "cannot be reached (503 SlowDown)"


def test_a_key_that_is_no_path_is_named(served: Served) -> None:
    served.put("a.jpg")
    served.put("b//c.jpg")

    with pytest.raises(LibraryOffline, match=r"has a key that is no path, '2026/b//c\.jpg': rename or remove it"):
        list(served.library().files())


def test_a_server_that_is_not_there_cannot_be_reached(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(StoreFault, match=r"cannot be reached \(no answer\)"):
        served.objects().head("a.jpg")
