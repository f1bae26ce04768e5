"""Paths as messages and payloads carry them: relative to the library, POSIX, valid UTF-8."""

from pathlib import PurePosixPath

from lookalike.bounds import MAX_PATH_CHARS
from lookalike.errors import Refused


def shown(path: str) -> str:
    r"""The path in valid Unicode: bytes that are not UTF-8 (surrogates, PEP 383) become `\xNN`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_sayable(path: str) -> bool:
    """Whether the path can be sent as it is."""
    return not any("\ud800" <= char <= "\udfff" for char in path)


def checked(path: str) -> str:
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
        raise Refused(f"{path!r} is not a path inside the library: give it relative to the library, without `..`.")
    return path
