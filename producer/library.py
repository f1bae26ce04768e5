"""The library on the disk: whether it is there, what is in it, what one file is. Knows neither queue nor index."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lookalike.bounds import MAX_PATH_CHARS
from lookalike.candidates import Candidates
from lookalike.paths import shown
from producer.events import Found, Stamp

MISSING = "is missing"
NOT_A_FOLDER = "is not a folder"
EMPTY = "is empty"


@dataclass(frozen=True)
class Count:
    """Numbers of files; folders that could not be read are named by the first of them."""

    discovered: int = 0
    ignored: int = 0
    unreadable: int = 0
    first_unreadable: str = ""


class Library:
    """A folder with images. `root` must not be a link itself, because the kernel would watch the link.

    Links to files inside count as files. Links to folders are not followed, so that nothing is found twice
    and no cycle is walked; they count as ignored, like links that leave the library or lead nowhere.
    """

    def __init__(self, root: Path, candidates: Candidates) -> None:
        self.root = root
        self.candidates = candidates
        self._prefix = os.fspath(root).rstrip(os.sep) + os.sep

    def absence(self) -> str | None:
        """Why the library cannot be looked at ("is missing", ...); None if it can."""
        try:
            with os.scandir(self.root) as entries:
                return None if any(True for _ in entries) else EMPTY
        except FileNotFoundError:
            return MISSING
        except NotADirectoryError:
            return NOT_A_FOLDER
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the root: other ones mean another disk or another folder of that name."""
        try:
            found = self.root.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def look(self, path: str) -> Stamp | None:
        """The file as it is now; None if there is no file, or a link that does not count."""
        try:
            found = os.lstat(self._prefix + path)
            if stat.S_ISLNK(found.st_mode):
                return self._look_through(self._prefix + path)
        except OSError:
            return None
        return Stamp(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def is_gone(self, path: str) -> bool:
        """Whether no file has this name; an error of the disk is no answer and not a yes."""
        try:
            found = os.lstat(self._prefix + path)
            if stat.S_ISLNK(found.st_mode):
                return self._look_through(self._prefix + path) is None
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return not stat.S_ISREG(found.st_mode)

    def raw(self, said: str) -> str:
        r"""The path on the disk of a path in a message: `\xNN` may stand for a byte that is not UTF-8."""
        if "\\x" not in said or not self.is_gone(said):
            return said
        folder = ""
        for part in said.split("/"):
            name = part if "\\x" not in part else self._name_shown_as(part, folder)
            folder = f"{folder}/{name}" if folder else name
        return folder

    def files(self, under: str = "") -> Iterator[Found]:
        """Every candidate in this folder and below. Folders that cannot be read are left out."""
        for entry, path, is_candidate in self._entries(under, lambda _: None):
            if is_candidate:
                try:
                    found = entry.stat()
                except OSError:
                    continue
                yield Found(path, Stamp(found.st_size, found.st_mtime_ns))

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts without looking into any file; None if it was told to stop."""
        discovered = ignored = 0
        unreadable: list[str] = []
        for at, (_, _, is_candidate) in enumerate(self._entries("", unreadable.append)):
            discovered += is_candidate
            ignored += not is_candidate
            # 4096 entries take a few milliseconds.
            if at % 4096 == 0 and should_stop():
                return None
        return Count(discovered, ignored, len(unreadable), shown(unreadable[0]) if unreadable else "")

    def _entries(self, under: str, unreadable: Callable[[str], None]) -> Iterator[tuple["os.DirEntry[str]", str, bool]]:
        """Everything that is no folder, with its path and whether it is a candidate."""
        folders = [under]
        while folders:
            folder = folders.pop()
            above = folder + "/" if folder else ""
            try:
                with os.scandir(self._prefix + folder) as entries:
                    for entry in entries:
                        path = above + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if self.candidates.is_entered(path):
                                folders.append(path)
                        else:
                            yield entry, path, self._counts(entry, path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                unreadable(folder)

    def _counts(self, entry: "os.DirEntry[str]", path: str) -> bool:
        if not self.candidates.is_candidate_in_entered(path, entry.name) or _is_too_long(path):
            return False
        try:
            if entry.is_symlink():
                return self._look_through(entry.path) is not None
            return entry.is_file(follow_symlinks=False)
        except OSError:
            return False

    def _look_through(self, link: str) -> Stamp | None:
        target = Path(os.path.realpath(link))
        if not target.is_relative_to(self.root):
            return None
        found = target.stat()
        return Stamp(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def _name_shown_as(self, name: str, folder: str) -> str:
        try:
            with os.scandir(self._prefix + folder) as entries:
                return next((entry.name for entry in entries if shown(entry.name) == name), name)
        except OSError:
            return name


def _is_too_long(path: str) -> bool:
    # Escaping makes four characters of one byte at most, so that short paths need no second look.
    return len(path) > MAX_PATH_CHARS // 4 and len(shown(path)) > MAX_PATH_CHARS
