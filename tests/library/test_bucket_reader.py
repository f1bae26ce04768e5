import hashlib

import pytest

from lookalike.library.errors import Changing, LibraryOffline, ReadFailed, Rejected
from lookalike.library.version import NO_VERSION
from tests.library.buckets import Served


def test_content_comes_with_its_version_and_hash(served: Served) -> None:
    served.put("a b.jpg", b"x" * 3_000_000)

    content = served.reader(max_bytes=4_000_000).read("a b.jpg")

    assert content is not None
    assert content.blob == b"x" * 3_000_000
    assert content.sha256 == hashlib.sha256(content.blob).hexdigest()
    assert content.version == served.library().stat("a b.jpg")


def test_one_image_is_one_request_of_its_own_size(served: Served) -> None:
    served.put("a.jpg", b"x" * 1000)

    served.reader().read("a.jpg")

    assert served.store.seen.requests == {"GET": 1}
    assert served.store.seen.body_bytes["GET"] == 1000


def test_several_objects_are_looked_at_and_read_at_once(served: Served) -> None:
    names = [f"{number}.jpg" for number in range(20)]
    for name in names:
        served.put(name, name.encode())
    served.faults.slow_s = 0.05
    reader = served.reader()

    versions = reader.versions([*names, "gone.jpg"])
    reader.expect(versions)
    contents = {name: reader.read(name) for name in names}

    assert [*versions] == names
    assert {name: content.blob for name, content in contents.items() if content} == {n: n.encode() for n in names}
    assert served.store.seen.most_at_once > 2
    assert served.store.seen.requests == {"HEAD": 21, "GET": 20, "LIST": 1}


def test_what_is_not_expected_any_more_is_read_when_it_is_its_turn(served: Served) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        served.put(name, name.encode())
    reader = served.reader()
    reader.expect(reader.versions(["a.jpg", "b.jpg"]))
    reader.expect(reader.versions(["b.jpg"]))
    served.put("a.jpg", b"newer")

    content = reader.read("a.jpg")

    assert content is not None
    assert content.blob == b"newer"


def test_an_error_comes_when_its_file_is_asked_for(served: Served) -> None:
    for name in ("a.jpg", "large.jpg"):
        served.put(name, b"x" * (10 if name == "a.jpg" else 1000))
    reader = served.reader(max_bytes=100)
    reader.expect(reader.versions(["large.jpg", "a.jpg"]))

    assert reader.read("a.jpg") is not None
    with pytest.raises(Rejected, match="the limit is"):
        reader.read("large.jpg")


def test_what_is_too_large_is_rejected(served: Served) -> None:
    served.put("a.jpg", b"x" * 1000)

    with pytest.raises(Rejected, match="the limit is"):
        served.reader(max_bytes=999).read("a.jpg")


def test_a_missing_object_is_gone_if_the_library_shows_others(served: Served) -> None:
    served.put("a.jpg")
    reader = served.reader()

    assert reader.read("gone.jpg") is None
    assert reader.version("gone.jpg") is None
    assert reader.is_gone("gone.jpg")
    assert not reader.is_gone("a.jpg")


def test_in_an_empty_listing_nothing_is_gone(served: Served) -> None:
    served.put("a.jpg")
    served.faults.empty_listings = True
    reader = served.reader()

    with pytest.raises(LibraryOffline, match="is empty; is its prefix right"):
        reader.is_gone("gone.jpg")
    with pytest.raises(LibraryOffline, match="is empty"):
        reader.version("gone.jpg")
    assert reader.version("a.jpg") is not None


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied"])
def test_with_refused_keys_all_waits(served: Served, code: str) -> None:
    served.put("a.jpg")
    reader = served.reader()
    assert reader.is_gone("gone.jpg")
    served.faults.denied = code

    for ask in (reader.version, reader.read, reader.is_gone):
        with pytest.raises(LibraryOffline, match=f"{served.address} cannot be read.*{code}"):
            ask("a.jpg")


def test_a_read_that_breaks_off_goes_on_where_it_ended(served: Served) -> None:
    served.put("a.jpg", bytes(range(256)) * 2000)
    served.faults.broken_off = 0.4
    objects = served.objects()
    objects.retry_s = 20.0

    for _ in range(4):
        found = objects.download("a.jpg")
        assert found is not None
        assert b"".join(found.pieces) == bytes(range(256)) * 2000
    assert served.store.seen.faults["broken off"] > 0


def test_one_object_that_cannot_be_read_fails_alone(served: Served) -> None:
    served.put("a.jpg", b"x" * 1000)
    reader = served.reader()
    served.faults.broken_off = 1.0

    with pytest.raises((ReadFailed, Changing)):
        reader.read("a.jpg")
    assert reader.version("a.jpg") not in (None, NO_VERSION)


def test_an_open_object_is_read_in_pieces(served: Served) -> None:
    served.put("a.jpg", b"x" * 2_500_000)

    opened = served.reader().open("a.jpg")

    assert opened is not None
    file, version = opened
    with file:
        sizes = [len(piece) for piece in iter(lambda: file.read(262_144), b"")]
    assert sum(sizes) == version.size_bytes == 2_500_000
    assert max(sizes) <= 262_144


def test_no_error_repeats_a_key(served: Served) -> None:
    served.put("a.jpg")
    served.faults.denied = "SignatureDoesNotMatch"

    with pytest.raises(LibraryOffline) as refused:
        served.reader().read("a.jpg")
    assert "AKIA" not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert "AKIA" not in repr(served.objects())
