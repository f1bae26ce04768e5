r"""Escapes text from outside before it is printed: a file name must not send commands to a terminal.

Unprintable characters are escaped: control characters (ESC begins a command, a line feed forges a line), marks that
turn the direction of writing or have no width, and lone surrogates. Letters of all scripts stay.
"""

import re

# What prints nothing, or changes how its neighbours look, although Unicode counts it as a letter or a mark
# (Default_Ignorable_Code_Point, Unicode 16); variation selectors, which emoji need, are left alone.
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\U000e0100-\U000e01ef]")
# What `escaped` writes. A name may contain that as text.
SPELLED = re.compile(r"\\(?=x(?:[01][0-9a-f]|7f)|u[0-9a-f]{4}|U[0-9a-f]{8})")


def escaped(text: str) -> str:
    r"""The text with `\x1b`, `\u202e` or `\U000e0041` in place of what does not print."""
    if text.isprintable() and not UNSEEN.search(text):
        return text
    return "".join(char if char.isprintable() and not UNSEEN.match(char) else _escape(char) for char in text)


def escaped_name(path: str) -> str:
    """A path as `escape_path` writes it, so that no two paths look alike for what was escaped in them."""
    return escaped(SPELLED.sub(r"\\x5c", path))


def _escape(char: str) -> str:
    number = ord(char)
    # Not `\x85`, which stands for a byte in a path.
    if number < 0x80:  # noqa: PLR2004 (ASCII)
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 (one unit of UTF-16)
