"""The files of a library on disk: which are candidates, their versions, which are gone. Independent of the index."""

import os
import stat
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lookalike.library.links import Links, hops_inside, leads_through_link, target_inside
from lookalike.library.paths import escape_path, unescape_path
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.library.version import FileVersion, version_of
from lookalike.library.witnesses import is_missing
from lookalike.messages import MAX_PATH_CHARS

# Why a library is unavailable, or may be.
MISSING = "is missing"
NOT_A_FOLDER = "is not a folder"
EMPTY = "is empty"


class FileEntry(NamedTuple):
    """A candidate on the disk."""

    path: str
    version: FileVersion


@dataclass(frozen=True)
class Count:
    """Numbers of files; `first_unreadable` is the first of the folders that cannot be read."""

    discovered: int = 0
    ignored: int = 0
    unreadable: int = 0
    first_unreadable: str = ""


class FolderLibrary:
    """A folder with images. `root` is absolute and no link: the kernel would watch a link and not the folder behind it.

    `links`, if given, learns each link that leads inside and each name of an inode that has several.

    Links to files inside count as files. Links to folders are not followed, so that nothing is found twice
    and no cycle is walked; they count as ignored, like links that leave the library or lead nowhere.
    """

    def __init__(self, root: Path, candidates: Candidates, links: Links | None = None) -> None:
        self.root = root
        # Replaced as a whole when the ignore file changes.
        self.candidates = candidates
        self.links = Links(max_links=0) if links is None else links
        self.ignore_files = frozenset({IGNORE_FILE})
        self._prefix = os.fspath(root).rstrip(os.sep) + os.sep

    def includes_folder(self, folder: str) -> bool:
        """Whether the folder is part of the library by the rules as they are now."""
        return self.candidates.includes_folder(folder)

    def stat(self, path: str) -> FileVersion | None:
        """The file as it is now; None if there is no file, or a link that does not count."""
        try:
            found = os.lstat(self._prefix + path)
            if stat.S_ISLNK(found.st_mode):
                return self._version_through_link(self._prefix + path)
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode) or leads_through_link(self.root, path):
            return None
        self._report_twins(path, found, found.st_nlink)
        return version_of(found)

    def is_gone(self, path: str) -> bool:
        """Whether no file has this name: the first witness of a deletion (witnesses.py)."""
        return is_missing(self.root, path)

    def is_missing(self, path: str) -> bool:
        """The same in a scan, for every file of the index: one status call is quick enough."""
        return self.is_gone(path)

    def remember_listing(self) -> None:
        """Nothing is to be remembered for `is_missing`."""

    def unescape(self, path: str) -> str:
        r"""The path on the disk of a path in a message: `\xNN` stands for a byte that is not UTF-8."""
        return unescape_path(path)

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """A file's bytes; None if it is gone, has more, or cannot be read now."""
        try:
            with Path(self._prefix + path).open("rb") as file:
                blob = file.read(most_bytes + 1)
        except OSError:
            return None
        return blob if len(blob) <= most_bytes else None

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

    def ignored(self) -> Iterator[tuple[str, str]]:
        """What is left out, and the rule that does it; a folder that is not entered once, with a slash at its end."""
        folders = [""]
        while folders:
            folder = folders.pop()
            above = folder + "/" if folder else ""
            try:
                with os.scandir(self._prefix + folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                yield above, f"cannot be read ({error.strerror})"
                continue
            for entry in found:
                path = above + entry.name
                if entry.is_dir(follow_symlinks=False):
                    rule = self.candidates.why_not_entered(path)
                    if rule is None:
                        folders.append(path)
                    else:
                        yield path + "/", rule
                elif not self._is_candidate(entry, path):
                    yield path, self.candidates.why_left_out(path) or self._why_no_file(entry, path)

    def entries(self, under: str, unreadable: Callable[[str], None]) -> Iterator[tuple["os.DirEntry[str]", str, bool]]:
        """Everything but folders, with its path and whether it is a candidate. Reports unreadable folders.

        Nothing below a link: events of a folder come for links to folders as well.
        """
        folders = [] if under and leads_through_link(self.root, under + "/") else [under]
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

    def absence(self) -> str | None:
        """Why the library is unavailable ("is missing", ...); None if it is available."""
        try:
            with os.scandir(self.root) as entries:
                return None if any(True for _ in entries) else EMPTY
        except FileNotFoundError:
            return MISSING
        except NotADirectoryError:
            return NOT_A_FOLDER
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def partial_absence(self) -> str:
        """What of it is missing while the rest is there, in a sentence; empty for one folder."""
        return ""

    def is_available(self) -> bool:
        """Whether its files can be counted: it is there, though it may be empty."""
        return self.absence() in (None, EMPTY)

    def identity(self) -> Hashable | None:
        """Device and inode of the root: they differ for another disk or folder at the same path."""
        try:
            found = self.root.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts files without opening them; None if `should_stop` returned True."""
        discovered = ignored = 0
        unreadable: list[str] = []
        for at, (_, _, is_candidate) in enumerate(self.entries("", unreadable.append)):
            discovered += is_candidate
            ignored += not is_candidate
            # 4096 entries take a few milliseconds.
            if at % 4096 == 0 and should_stop():
                return None
        return Count(discovered, ignored, len(unreadable), escape_path(unreadable[0]) if unreadable else "")

    def _is_candidate(self, entry: "os.DirEntry[str]", path: str) -> bool:
        if not self.candidates.is_candidate_in_folder(path, entry.name) or _is_too_long(path):
            return False
        try:
            if entry.is_symlink():
                return self._version_through_link(entry.path) is not None
            return entry.is_file(follow_symlinks=False)
        except OSError:
            return False

    @staticmethod
    def _why_no_file(entry: "os.DirEntry[str]", path: str) -> str:
        if _is_too_long(path):
            return f"a path of more than {MAX_PATH_CHARS} characters"
        return "a link that leads out of the library, or nowhere" if entry.is_symlink() else "not a file"

    def _report_twins(self, path: str, found: os.stat_result, names: int) -> None:
        if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
            self.links.add_hard_link(path, (found.st_dev, found.st_ino), names)

    def _version_through_link(self, link: str) -> FileVersion | None:
        target = target_inside(self.root, link)
        hops = hops_inside(self.root, link)
        inside = [] if target is None else [os.fspath(target).removeprefix(self._prefix)]
        if hops or inside:
            self.links.add_link(link.removeprefix(self._prefix), *dict.fromkeys([*hops, *inside]))
        if target is None:
            return None
        found = target.stat()
        return version_of(found) if stat.S_ISREG(found.st_mode) else None


def _is_too_long(path: str) -> bool:
    # Escaping turns one byte into at most four characters, so short paths need not be escaped to know.
    return len(path) > MAX_PATH_CHARS // 4 and len(escape_path(path)) > MAX_PATH_CHARS
