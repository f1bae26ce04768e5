"""The library: its files as the disk shows them, whether it is there, how many they are. Knows no queue, no index."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.library.folder import FolderLibrary
from lookalike.library.paths import escape_path
from lookalike.library.rules import Candidates
from producer.links import Links

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


class Library(FolderLibrary):
    """A library that is watched: `root` must not be a link itself, because the kernel would watch the link."""

    def __init__(self, root: Path, candidates: Candidates) -> None:
        self.links = Links()
        super().__init__(root, candidates, on_link=self.links.saw, on_twin=self.links.saw_twin)

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

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts without looking into any file; None if it was told to stop."""
        discovered = ignored = 0
        unreadable: list[str] = []
        for at, (_, _, is_candidate) in enumerate(self.entries("", unreadable.append)):
            discovered += is_candidate
            ignored += not is_candidate
            # 4096 entries take a few milliseconds.
            if at % 4096 == 0 and should_stop():
                return None
        return Count(discovered, ignored, len(unreadable), escape_path(unreadable[0]) if unreadable else "")
