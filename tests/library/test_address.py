from pathlib import Path

import pytest

from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.errors import Misconfigured, Refused
from lookalike.library.address import BucketAddress, located
from lookalike.settings import read_settings


def test_an_address_has_a_bucket_and_a_prefix_without_slashes_at_their_ends() -> None:
    address = read_settings(library="s3://photos/2026/may/").library

    assert address == "s3://photos/2026/may"
    assert isinstance(address, BucketAddress)
    assert (address.bucket, address.prefix, address.name) == ("photos", "2026/may", "may")


def test_a_whole_bucket_has_no_prefix() -> None:
    assert BucketAddress("s3://photos/").prefix == ""


def test_a_folder_stays_a_folder() -> None:
    settings = read_settings(library="/srv/photos")

    assert settings.library == settings.library_folder == Path("/srv/photos")


@pytest.mark.parametrize("given", ["s3://", "s3://p", "s3://photos/a//b", "s3://photos/../x", "s3://ph otos/a"])
def test_an_address_that_names_no_bucket_or_prefix_is_refused(given: str) -> None:
    with pytest.raises(Misconfigured, match=r"LOOKALIKE_LIBRARY.*(names no bucket|is no prefix)"):
        read_settings(library=given)


def test_keys_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(Misconfigured, match="no credentials") as refused:
        read_settings(library="s3://AKIAEXAMPLE:secret@photos/2026")

    assert "secret" not in str(refused.value)


def test_a_file_of_the_library_has_an_address() -> None:
    assert located(BucketAddress("s3://photos/2026"), "a/b.jpg") == "s3://photos/2026/a/b.jpg"
    assert located(Path("/srv"), "a/b.jpg") == "/srv/a/b.jpg"


def test_a_caller_may_name_an_object_by_its_address() -> None:
    paths = CallerPaths(BucketAddress("s3://photos/2026"))

    assert paths.relative("s3://photos/2026/a/b.jpg") == "a/b.jpg"
    assert paths.relative(Path("s3://photos/2026/a/b.jpg")) == "a/b.jpg"
    assert paths.relative("a/b.jpg") == "a/b.jpg"


def test_an_address_of_another_bucket_is_refused() -> None:
    with pytest.raises(Refused, match="is not an object of the library s3://photos"):
        CallerPaths(BucketAddress("s3://photos")).relative("s3://others/a.jpg")
