"""The files of a library on disk: which are candidates, their versions, which are gone. Independent of the index."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lookalike.library.paths import escape_path, unescape_path
from lookalike.library.rules import Candidates
from lookalike.messages import MAX_PATH_CHARS


class FileVersion(NamedTuple):
    """Identifies a version of a file without reading it.

    The inode's change time reveals what `cp -p`, `touch -r` and renames over a file hide: the mtime can be set, the
    ctime cannot. It also changes with permissions and the number of names, which costs one extra check.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0

    @property
    def move_key(self) -> tuple[int, int]:
        """Size and mtime, which a move to another disk keeps."""
        return self.size_bytes, self.mtime_ns


def version_of(found: os.stat_result) -> FileVersion:
    """The version of a file with this stat result."""
    return FileVersion(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class FileEntry(NamedTuple):
    """A candidate on the disk."""

    path: str
    version: FileVersion


class FolderLibrary:
    """A folder with images. `root` is absolute and no link.

    `on_link` is called with each link that leads inside and its target; `on_twin` with each name of an inode that has
    several, the inode, and the number of names (0 in a walk through everything, which sees them all).

    Links to files inside count as files. Links to folders are not followed, so that nothing is found twice
    and no cycle is walked; they count as ignored, like links that leave the library or lead nowhere.
    """

    def __init__(
        self,
        root: Path,
        candidates: Candidates,
        on_link: Callable[[str, str], object] = lambda _link, _target: None,
        on_twin: Callable[[str, tuple[int, int], int], object] = lambda _name, _inode, _names: None,
    ) -> None:
        self.root = root
        self.candidates = candidates
        self._on_link = on_link
        self._on_twin = on_twin
        self._prefix = os.fspath(root).rstrip(os.sep) + os.sep

    def stat(self, path: str) -> FileVersion | None:
        """The file as it is now; None if there is no file, or a link that does not count."""
        try:
            found = os.lstat(self._prefix + path)
            if stat.S_ISLNK(found.st_mode):
                return self._version_through_link(self._prefix + path)
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        self._report_twins(path, found, found.st_nlink)
        return version_of(found)

    def is_gone(self, path: str) -> bool:
        """Whether no file has this name; False after an error of the disk, which proves nothing."""
        try:
            found = os.lstat(self._prefix + path)
            if stat.S_ISLNK(found.st_mode):
                return self._version_through_link(self._prefix + path) is None
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return not stat.S_ISREG(found.st_mode)

    def unescape(self, path: str) -> str:
        r"""The path on the disk of a path in a message: `\xNN` stands for a byte that is not UTF-8."""
        return unescape_path(path)

    def files(self, under: str = "") -> Iterator[FileEntry]:
        """Every candidate in this folder and below. Folders that cannot be read are left out."""
        for entry, path, is_candidate in self.entries(under, lambda _: None):
            if is_candidate:
                try:
                    found = entry.stat()
                except OSError:
                    continue
                self._report_twins(path, found, found.st_nlink if under else 0)
                yield FileEntry(path, version_of(found))

    def entries(self, under: str, unreadable: Callable[[str], None]) -> Iterator[tuple["os.DirEntry[str]", str, bool]]:
        """Everything but folders, with its path and whether it is a candidate. Reports unreadable folders."""
        folders = [under]
        while folders:
            folder = folders.pop()
            above = folder + "/" if folder else ""
            try:
                with os.scandir(self._prefix + folder) as entries:
                    for entry in entries:
                        path = above + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if self.candidates.includes_folder(path):
                                folders.append(path)
                        else:
                            yield entry, path, self._is_candidate(entry, path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                unreadable(folder)

    def _is_candidate(self, entry: "os.DirEntry[str]", path: str) -> bool:
        if not self.candidates.is_candidate_in_folder(path, entry.name) or _is_too_long(path):
            return False
        try:
            if entry.is_symlink():
                return self._version_through_link(entry.path) is not None
            return entry.is_file(follow_symlinks=False)
        except OSError:
            return False

    def _report_twins(self, path: str, found: os.stat_result, names: int) -> None:
        if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
            self._on_twin(path, (found.st_dev, found.st_ino), names)

    def _version_through_link(self, link: str) -> FileVersion | None:
        target = Path(os.path.realpath(link))
        if not target.is_relative_to(self.root):
            return None
        self._on_link(link.removeprefix(self._prefix), os.fspath(target).removeprefix(self._prefix))
        found = target.stat()
        return version_of(found) if stat.S_ISREG(found.st_mode) else None


def _is_too_long(path: str) -> bool:
    # Escaping turns one byte into at most four characters, so short paths need not be escaped to know.
    return len(path) > MAX_PATH_CHARS // 4 and len(escape_path(path)) > MAX_PATH_CHARS
