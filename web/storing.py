"""Puts uploaded files into the library: safe names, never over another file, and whole from the first moment.

A file is written under a name that the watcher leaves out, and then gets its own name by a link, which fails where a
file of that name is. So neither the watcher nor a person ever sees a half of it.
"""

import errno
import os
import re
import unicodedata
import uuid
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from lookalike.library.joined.folders import folders_of, split_name
from lookalike.library.links import leads_through_link
from lookalike.library.paths import quoted, validate_path
from lookalike.library.rules import Candidates
from web.problems import Problem

# Of a name in most file systems, and room for the temporary one.
MAX_NAME_BYTES = 200
# By the rules of the library never a candidate, whatever else they say (lookalike/library/rules.py).
PARTIAL = ".lookalike-{}.part"
# What no file system or shell of people should meet in a name.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
# File systems without hard links.
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# What a worker calls the content of a file with this extension; with others anything that it can open.
FORMATS = {
    **{key: {"JPEG", "MPO"} for key in ("jpg", "jpeg", "jpe", "jfif", "pjpeg")},
    **{key: {"PNG"} for key in ("png", "apng")},
    **{key: {"TIFF"} for key in ("tif", "tiff")},
    **{key: {"HEIF"} for key in ("heic", "heif", "hif")},
    **{key: {"BMP", "DIB"} for key in ("bmp", "dib")},
    **{key: {"JPEG2000"} for key in ("jp2", "j2k", "jpf", "jpx")},
    **{name: {name.upper()} for name in ("gif", "webp", "avif", "qoi", "psd", "dds", "ico", "tga", "pcx", "jxl")},
}


@dataclass(frozen=True)
class Storing:
    """Puts files into the folder of a library."""

    root: Path
    candidates: Candidates

    def place(self, given: str, folder: str) -> str:
        """The path for a file with this name in that folder. Raises Problem if there may be no such file."""
        name = safe_name(given)
        self._check_folder(validate_path(folder) if folder else "")
        path = f"{folder}/{name}" if folder else name
        rule = self.candidates.why_left_out(path)
        if rule is not None:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{quoted(path)} would be left out of the index by {rule}.")
        if os.path.lexists(self.root / path):
            raise _exists(path)
        return path

    def write(self, path: str, blob: bytes) -> None:
        """Writes a new file. Raises Problem; then there is none."""
        target = self.root / path
        partial = target.with_name(PARTIAL.format(uuid.uuid4().hex))
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(descriptor)
            _name(partial, target)
        except FileExistsError:
            raise _exists(path) from None
        except OSError as error:
            raise _not_written(path, error) from error
        finally:
            with suppress(OSError):
                partial.unlink()

    def remove(self, path: str) -> None:
        """Takes back a file of an upload that failed later."""
        with suppress(OSError):
            (self.root / path).unlink()

    def _check_folder(self, folder: str) -> None:
        """Raises Problem unless new files may lie in this folder, "" for the library's own."""
        folders = folders_of(self.root)
        name, rest = ("", folder) if "" in folders else split_name(folder)
        if not folder and name not in folders:
            names = ", ".join(map(quoted, folders))
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"This library has several folders: name one of {names}.")
        root = folders.get(name)
        if root is None or (rest and leads_through_link(root, f"{rest}/")) or not (root / rest).is_dir():
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{quoted(folder)} is no folder of the library.")


def safe_name(given: str) -> str:
    """The name of a file, without folders and without what is special anywhere. Raises Problem if nothing is left."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    name = UNSAFE.sub("_", last).strip().lstrip(".").rstrip(". ")
    stem, dot, extension = name.rpartition(".")
    if not stem or not extension or any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in name):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{quoted(given)} is no name for a picture: photo.jpg is one.")
    room = MAX_NAME_BYTES - len((dot + extension).encode())
    if room < 1:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The name {quoted(given)} is too long.")
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + extension


def check_format(path: str, found: str) -> None:
    """Raises Problem if the content is of another format than the name says."""
    wanted = FORMATS.get(path.rpartition(".")[2].lower())
    if wanted is not None and found not in wanted:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{quoted(path)} holds {found}, which its name does not say: rename it and send it again.",
        )


def _name(partial: Path, target: Path) -> None:
    """Gives the file its name, if that is free. Raises FileExistsError, OSError."""
    try:
        os.link(partial, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # The name is taken first, so that the file that is replaced is ours.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        partial.replace(target)


def _exists(path: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, f"There is a file {quoted(path)} already: give it another name.")


def _not_written(path: str, error: OSError) -> Problem:
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Problem(
            HTTPStatus.FORBIDDEN,
            "The library is read-only for the gallery: copy the files into its folder, or let it be written to.",
        )
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.SERVICE_UNAVAILABLE
    return Problem(status, f"{quoted(path)} cannot be written ({error.strerror}).")
