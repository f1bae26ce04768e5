r"""Paths as messages and payloads carry them: relative to the library, POSIX, valid UTF-8. One file, one path.

A byte that is not UTF-8 is written `\xNN`. So that no other file's name spells the same, the backslash of a name in
which such an escape stands as text is written `\x5c`. All other names stay as they are, backslashes included.
"""

import re
from pathlib import PurePosixPath

from lookalike.bounds import MAX_PATH_CHARS
from lookalike.errors import Refused

LONGEST_QUOTED = 255
# What stands for a byte: those above ASCII, which alone can be no UTF-8, and the backslash.
ESCAPE = re.compile(r"\\x(5c|[89a-f][0-9a-f])")


def escape_path(path: str) -> str:
    r"""The path in valid Unicode: bytes that are not UTF-8 (surrogates, PEP 383) become `\xNN`.

    No two paths are shown alike: an unescaped backslash is never followed by what would make it an escape, because
    what follows is either escaped itself, and begins with a backslash, or was there and would have been found.
    """
    spelled = ESCAPE.sub(r"\\x5cx\1", path) if "\\x" in path else path
    return spelled.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def raw(said: str) -> str:
    r"""The path on the disk of one that `shown` made.

    What `shown` never makes (`\xc3\xa9` is the valid UTF-8 of another letter) is given back unchanged: see is_shown.
    """
    if "\\x" not in said:
        return said
    pieces = ESCAPE.split(said)
    blob = b"".join(
        bytes.fromhex(piece) if at % 2 else piece.encode("utf-8", "surrogateescape") for at, piece in enumerate(pieces)
    )
    path = blob.decode("utf-8", "surrogateescape")
    return path if escape_path(path) == said else said


def is_shown(said: str) -> bool:
    """Whether there can be a file that is shown so."""
    return "\\x" not in said or escape_path(raw(said)) == said


def is_utf8(path: str) -> bool:
    """Whether the path can be sent as it is."""
    return not any("\ud800" <= char <= "\udfff" for char in path)


def quoted(path: str) -> str:
    """The path between quotes, for a sentence; of one that is long its beginning."""
    return repr(path) if len(path) <= LONGEST_QUOTED else f"{path[:LONGEST_QUOTED]!r}... ({len(path)} characters)"


def validate_path(path: str) -> str:
    """The same path if it is relative, normal and stays inside; raises Refused otherwise."""
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path.startswith("/")
        or ".." in parts
        or "\0" in path
        or len(path) > MAX_PATH_CHARS
        or str(PurePosixPath(path)) != path
    ):
        raise Refused(
            f"{quoted(path)} is not a path inside the library: give it relative to the library, without `..`."
        )
    return path
