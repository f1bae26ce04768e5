import time

import pytest

from lookalike.errors import Misconfigured, Unreachable
from lookalike.library.buckets import bucket
from lookalike.library.buckets.bucket import BucketLibrary
from lookalike.library.buckets.bucket_faults import BucketFault
from lookalike.library.errors import LibraryOffline
from lookalike.library.opening import asked_library, library_of, opened_library, rules_of
from lookalike.library.rules import Candidates
from lookalike.library.version import move_key
from lookalike.settings import read_settings
from tests.library.buckets import PAGE, PREFIX, Served


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
    for number in range(2 * PAGE + 1):
        served.put(f"{number}.jpg", b"x")
    library = served.library()

    count = library.count(lambda: False)

    assert count is not None
    assert count.discovered == 2 * PAGE + 1
    assert served.store.seen.requests["LIST"] == 3
    assert len({file.path for file in library.files()}) == 2 * PAGE + 1


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


def test_a_listing_that_lacks_very_much_ends_the_scan(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "MOST_UNLISTED", 3)
    for number in range(10):
        served.put(f"{number}.jpg")
    served.faults.cut_listings = 1.0
    library = served.library()
    library.count(lambda: False)

    with pytest.raises(LibraryOffline, match="was listed in part only"):
        [library.is_missing(f"{number}.jpg") for number in range(10)]
    served.faults.heal()
    library.count(lambda: False)
    assert not any(library.is_missing(f"{number}.jpg") for number in range(10))


def test_a_store_that_goes_away_ends_the_scan_at_once(served: Served) -> None:
    served.put("a.jpg")
    library = served.library()
    library.count(lambda: False)
    served.faults.failing = 1.0

    with pytest.raises(LibraryOffline, match="cannot be reached"):
        library.is_missing("gone.jpg")


def test_what_was_listed_a_moment_ago_is_not_listed_again_to_be_available(served: Served) -> None:
    served.put("a.jpg")
    times_s = [0.0]
    library = BucketLibrary(served.address, served.objects(), Candidates(("jpg",)), lambda: times_s[0])
    library.count(lambda: False)
    listings = served.store.seen.requests["LIST"]

    assert library.absence() is None
    assert served.store.seen.requests["LIST"] == listings
    times_s[0] = bucket.ONLINE_FOR_S
    served.delete("a.jpg")
    assert library.absence() == "is empty"


def test_an_empty_library_is_empty_and_nothing_of_it_is_gone(served: Served) -> None:
    served.put("a.jpg")
    served.faults.empty_listings = True

    assert served.library().absence() == "is empty"
    assert not served.library().is_gone("a.jpg")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("ExpiredToken", r"cannot be read with the keys that are set \(ExpiredToken\)"),
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

    with pytest.raises(BucketFault, match=r"cannot be reached \(no answer\)"):
        served.objects().head("a.jpg")


@pytest.mark.parametrize("endpoint", ["minio:9000", "minio", "http://", "ftp://minio", "http://key:secret@minio:9000"])
def test_an_endpoint_that_is_no_address_is_refused_and_not_repeated(
    served: Served, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

    with pytest.raises(Misconfigured, match="AWS_ENDPOINT_URL is no address of a server") as refused:
        served.objects().check()
    assert "secret" not in str(refused.value)


def test_an_authority_that_cannot_be_read_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent/ca.pem")

    with pytest.raises(Misconfigured, match=r"AWS_CA_BUNDLE: /nonexistent/ca\.pem cannot be read"):
        served.objects().check()


def test_a_bucket_that_is_open_to_all_needs_no_keys(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")

    assert served.library().absence() == "is empty"


def test_without_keys_it_is_told_how_to_give_some(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")

    with pytest.raises(BucketFault, match="has no keys: set AWS_ACCESS_KEY_ID"):
        served.objects().head("a.jpg")


def test_the_ignore_file_of_a_bucket_is_read(served: Served) -> None:
    for path in ("a.jpg", "drafts/b.jpg"):
        served.put(path)
    served.put(".lookalikeignore", b"drafts/\n")

    library = library_of(read_settings(library=served.address))

    assert [file.path for file in library.files()] == ["a.jpg"]


def test_a_bucket_that_does_not_answer_is_one_sentence_for_a_command(served: Served) -> None:
    served.faults.failing = 1.0

    with (
        pytest.raises(Unreachable, match=rf"The library {served.address} cannot be reached \(500 InternalError\)\."),
        asked_library(read_settings(library=served.address, bucket_retry_s=0.3)) as library,
    ):
        list(library.files())


def test_what_the_producer_opens_waits_for_its_rules(served: Served) -> None:
    served.faults.failing = 1.0
    settings = read_settings(library=served.address, bucket_retry_s=0.3)

    library = opened_library(settings, served.address)
    with pytest.raises(LibraryOffline, match="cannot be reached"):
        rules_of(settings, library)
    served.faults.heal()
    served.put(".lookalikeignore", b"drafts/\n")

    assert not rules_of(settings, library).is_candidate("drafts/b.jpg")
