"""What a path means that a caller gives: a file here that lies in the library, else a path of the index."""

import os
import re
from pathlib import Path

from lookalike.client.queries.argument_checks import path_given
from lookalike.errors import Refused
from lookalike.library.address import SCHEME, BucketAddress
from lookalike.library.joined.folders import folders_of, inside, shown
from lookalike.library.paths import escape_path, is_utf8, quoted, validate_path

ADDRESS = re.compile(r"s3:/{1,2}([^/].*)", re.DOTALL)


class CallerPaths:
    """Paths of one library; `root` is its folder or bucket, None where it is not known."""

    def __init__(self, root: Path | BucketAddress | None) -> None:
        self._root = root if isinstance(root, Path) else None
        self._bucket = root if isinstance(root, BucketAddress) else None

    def in_bucket(self, given: object) -> str | None:
        """The path as the index has it of an address of an object; None if it is none. Raises Refused."""
        text = os.fspath(given) if isinstance(given, str | os.PathLike) else given
        # A pathlib.Path has taken one of both slashes.
        found = ADDRESS.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        if self._bucket is None or not f"{SCHEME}{found[1]}".startswith(f"{self._bucket}/"):
            raise Refused(f"{quoted(str(text))} is not an object of the library {self._bucket or self._root or ''}.")
        return _escaped(f"{SCHEME}{found[1]}".removeprefix(f"{self._bucket}/"))

    def contains(self, path: Path) -> bool:
        """Whether the file lies below the library's folder."""
        root, file = self._root, Path(os.path.abspath(path))  # noqa: PTH100 (below)
        return root is not None and any(file.is_relative_to(folder) for folder in (root, *folders_of(root).values()))

    def relative(self, path: str | os.PathLike[str]) -> str:
        """The path as the index has it. Raises Refused."""
        if (in_bucket := self.in_bucket(path)) is not None:
            return in_bucket
        given, root = path_given(path), self._root
        if root is not None:
            absolute = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow links out of the library
            there = os.path.lexists(absolute)
            found = inside(root, absolute)
            if found is not None and (given.is_absolute() or there):
                # A name on the disk may contain what looks like an escape; in a path of the index that is escaped.
                return _escaped(found) if there else _index_path(found)
        if given.is_absolute():
            where = "" if root is None else shown(root)
            raise Refused(f"{quoted(str(given))} is not a file here, and not a path inside the library {where}.")
        return _index_path(given.as_posix())


def _index_path(path: str) -> str:
    """A path of the index, as `list` returns it; or an unescaped name with bytes that are not UTF-8."""
    return validate_path(path) if is_utf8(path) else _escaped(path)


def _escaped(path: str) -> str:
    try:
        return validate_path(escape_path(path))
    except UnicodeEncodeError:
        raise Refused(f"{quoted(path)} can be no name of a file.") from None
