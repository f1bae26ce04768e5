r"""Paths as messages and payloads carry them: relative to the library, POSIX, valid UTF-8. Each file has exactly one.

A byte that is not UTF-8 is written `\xNN`. Where a name contains such an escape as text, its backslash is written
`\x5c`, so that two names never get the same path. All other names stay as they are, backslashes included.
"""

import re
from pathlib import PurePosixPath

from lookalike.errors import Refused

# Longest path that Linux itself accepts (PATH_MAX, limits.h).
MAX_PATH_CHARS = 4096
MAX_QUOTED_CHARS = 255
# An escaped byte: those above ASCII, as only they can be invalid UTF-8, and the backslash.
ESCAPE = re.compile(r"\\x(5c|[89a-f][0-9a-f])")


def escape_path(path: str) -> str:
    r"""The path in valid Unicode: bytes that are not UTF-8 (surrogates, PEP 383) become `\xNN`.

    No two paths have the same escaped form: an unescaped backslash is never followed by what would make it an escape,
    because what follows is either escaped itself, and begins with a backslash, or was there and would have been found.
    """
    escaped = ESCAPE.sub(r"\\x5cx\1", path) if "\\x" in path else path
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unescape_path(path: str) -> str:
    r"""The path on the disk of one that `escape_path` made.

    What `escape_path` never makes (`\xc3\xa9` is the valid UTF-8 of another letter) is returned unchanged.
    """
    if "\\x" not in path:
        return path
    pieces = ESCAPE.split(path)
    blob = b"".join(
        bytes.fromhex(piece) if at % 2 else piece.encode("utf-8", "surrogateescape") for at, piece in enumerate(pieces)
    )
    found = blob.decode("utf-8", "surrogateescape")
    return found if escape_path(found) == path else path


def is_escaped_path(path: str) -> bool:
    """Whether a file can have this path: whether `escape_path` can have made it."""
    return "\\x" not in path or escape_path(unescape_path(path)) == path


def is_utf8(path: str) -> bool:
    """Whether the path is valid Unicode, without surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in path)


def quoted(path: str) -> str:
    """The path in quotes, for an error message; only the beginning of a long one."""
    return repr(path) if len(path) <= MAX_QUOTED_CHARS else f"{path[:MAX_QUOTED_CHARS]!r}... ({len(path)} characters)"


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
