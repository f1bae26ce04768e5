"""How paths are said in messages, and which are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.errors import Refused
from lookalike.library.paths import escape_path, is_escaped_path, is_utf8, quoted, unescape_path, validate_path
from lookalike.messages import MAX_PATH_CHARS


def test_a_name_that_is_not_utf8_is_escaped_path_with_its_bytes() -> None:
    assert escape_path("caf\udce9/na\udcefve.jpg") == "caf\\xe9/na\\xefve.jpg"
    assert not is_utf8("caf\udce9.jpg")


@pytest.mark.parametrize(
    "path",
    ["a.jpg", "a b/ü.jpg", "写真/1.jpg", "back\\slash.jpg", "\\x41.jpg", "\\xE9.jpg", "C:\\new\\x.jpg", "a\nb\x1b.jpg"],
)
def test_any_other_name_is_escaped_path_as_it_is(path: str) -> None:
    """Ids of points are made from it."""
    assert (escape_path(path), unescape_path(path)) == (path, path)
    assert is_utf8(path)
    assert is_escaped_path(path)


def test_a_byte_and_a_name_that_spells_its_escape_are_two_paths() -> None:
    assert escape_path("caf\udce9.jpg") == "caf\\xe9.jpg"
    assert escape_path("caf\\xe9.jpg") == "caf\\x5cxe9.jpg"
    assert escape_path("caf\\x5cxe9.jpg") == "caf\\x5cx5cxe9.jpg"


# Names with much of what escapes are made of; and any bytes at all.
BITS = st.sampled_from(
    [b"\\", b"x", b"5", b"c", b"5c", b"e9", b"\xe9", b"\xc3", b"\xc3\xa9", b"\xed\xa0\x80", b"a", b"/", b"\n"]
)
NAMES = st.one_of(st.binary(min_size=1, max_size=50), st.lists(BITS, min_size=1, max_size=12).map(b"".join)).map(
    lambda name: name.decode("utf-8", "surrogateescape")
)


@settings(deadline=None)
@given(NAMES)
def test_every_name_is_found_again_by_what_is_escaped_path_of_it(name: str) -> None:
    assert unescape_path(escape_path(name)) == name
    assert is_escaped_path(escape_path(name))


@settings(deadline=None)
@given(NAMES, NAMES)
def test_no_two_names_are_shown_alike(one: str, other: str) -> None:
    assert (escape_path(one) == escape_path(other)) == (one == other)


@settings(deadline=None)
@given(NAMES)
def test_what_no_name_is_escaped_path_as_leads_to_no_other_name(said: str) -> None:
    said = said.encode("utf-8", "replace").decode()

    assert (escape_path(unescape_path(said)) == said) == is_escaped_path(said)


def test_a_locale_that_knows_ascii_alone_shows_the_same() -> None:
    assert escape_path("caf\udcc3\udca9.jpg") == "café.jpg"


def test_a_long_name_is_quoted_by_its_beginning() -> None:
    assert quoted("a\nb") == "'a\\nb'"
    assert quoted("n" * 5000) == f"'{'n' * 255}'... (5000 characters)"


@settings(deadline=None)  # other tests may keep the machine busy
@given(st.binary(min_size=1, max_size=50))
def test_whatever_bytes_a_disk_holds_they_can_be_said(name: bytes) -> None:
    assert is_utf8(escape_path(name.decode("utf-8", "surrogateescape")))


@pytest.mark.parametrize("path", ["a.jpg", "deep/er/a.jpg", "..a/b..jpg", "a/.hidden"])
def test_a_path_inside_passes(path: str) -> None:
    assert validate_path(path) == path


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/", "a\0b", "n" * (MAX_PATH_CHARS + 1)]
)
def test_a_path_that_leaves_or_is_not_normal_is_refused(path: str) -> None:
    with pytest.raises(Refused):
        validate_path(path)
