"""How paths are said in messages, and which are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.bounds import MAX_PATH_CHARS
from lookalike.errors import Refused
from lookalike.paths import checked, is_sayable, shown


def test_a_name_that_is_not_utf8_is_shown_with_its_bytes() -> None:
    assert shown("caf\udce9/na\udcefve.jpg") == "caf\\xe9/na\\xefve.jpg"
    assert not is_sayable("caf\udce9.jpg")


@pytest.mark.parametrize("path", ["a.jpg", "a b/ü.jpg", "写真/1.jpg", "back\\slash.jpg"])
def test_any_other_name_is_shown_as_it_is(path: str) -> None:
    assert shown(path) == path
    assert is_sayable(path)


@settings(deadline=None)  # other tests may keep the machine busy
@given(st.binary(min_size=1, max_size=50))
def test_whatever_bytes_a_disk_holds_they_can_be_said(name: bytes) -> None:
    assert is_sayable(shown(name.decode("utf-8", "surrogateescape")))


@pytest.mark.parametrize("path", ["a.jpg", "deep/er/a.jpg", "..a/b..jpg", "a/.hidden"])
def test_a_path_inside_passes(path: str) -> None:
    assert checked(path) == path


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/", "a\0b", "n" * (MAX_PATH_CHARS + 1)]
)
def test_a_path_that_leaves_or_is_not_normal_is_refused(path: str) -> None:
    with pytest.raises(Refused):
        checked(path)
