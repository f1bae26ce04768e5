"""A name of a file is no command to a terminal, and no two names look alike for what was escaped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.library.paths import escape_path
from lookalike.terminal import escaped, escaped_name

NAMES = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.lists(st.sampled_from([b"\\", b"x1b", b"\x1b", b"u202e", "\u202e".encode(), b"\xe9", b"\n", b"a"])).map(
        b"".join
    ),
).map(lambda name: name.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\x1b]0;owned\x07", r"a\x1b]0;owned\x07"),
        ("two\r\nlines\t", r"two\x0d\x0alines\x09"),
        ("\x7f\x9b31m\x85", r"\x7f\u009b31m\u0085"),
        ("\u202a\u202e\u2066\u2069\u200e\u200f\u061c", r"\u202a\u202e\u2066\u2069\u200e\u200f\u061c"),
        ("\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164", r"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164"),
        ("\u2028\u2029\u00a0", r"\u2028\u2029\u00a0"),
        ("\udce9\ud800\U000e0041", r"\udce9\ud800\U000e0041"),
        ("café 写真 עברית ❤️ [red] a\\b", "café 写真 עברית ❤️ [red] a\\b"),
    ],
)
def test_what_does_not_print_is_escaped_and_letters_stay(name: str, said: str) -> None:
    assert escaped(name) == said


def test_a_name_that_spells_what_a_screen_escapes_is_told_apart() -> None:
    assert escaped_name("a\nb") == r"a\x0ab"
    assert escaped_name(r"a\x0ab") == r"a\x5cx0ab"
    # A byte and a control character of the same number.
    assert escaped_name(escape_path("a\udc85")) != escaped_name(escape_path("a\x85"))


@settings(deadline=None)
@given(NAMES, NAMES)
def test_no_two_names_look_alike_on_a_screen(one: str, other: str) -> None:
    said = [escaped_name(escape_path(name)) for name in (one, other)]

    assert all(line.isprintable() for line in said)
    assert (said[0] == said[1]) == (one == other)
