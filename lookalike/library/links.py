"""Symbolic and hard links: where a link leads, and the other names of a file.

The kernel reports a change under one of a file's names only.
"""

import os
import threading
from pathlib import Path

# About 40 MB. The next scan finds changes of further links.
MAX_LINKS = 100_000

Inode = tuple[int, int]
"""Device and number."""


def target_inside(root: Path, name: str | Path) -> Path | None:
    """The file that a name on the disk leads to through all links; None if that is outside the root."""
    target = Path(os.path.realpath(name))
    return target if target.is_relative_to(root) else None


class Links:
    """Symbolic links as last seen, and the names of inodes with several hard links. Several threads use it."""

    def __init__(self, max_links: int = MAX_LINKS) -> None:
        self._max_links = max_links
        self._lock = threading.Lock()
        self._target_of: dict[str, str | Inode] = {}
        self._names_of: dict[str | Inode, dict[str, None]] = {}
        self._is_incomplete = False

    def add_link(self, link: str, target: str | Inode) -> bool:
        """Records a link's target, existing or not; False if it was known or there is no room."""
        with self._lock:
            before = self._target_of.get(link)
            if before == target or (before is None and len(self._target_of) >= self._max_links):
                return False
            if before is not None:
                self._forget(link, before)
            self._target_of[link] = target
            self._names_of.setdefault(target, {})[link] = None
            return True

    def add_hard_link(self, name: str, inode: Inode, names: int) -> None:
        """Records a name of an inode that has so many names; 0 from a walk that sees them all."""
        if self.add_link(name, inode) and names > len(self._names_of.get(inode, ())):
            self._is_incomplete = True

    def remove_link(self, link: str) -> None:
        """Removes a link that was deleted."""
        with self._lock:
            target = self._target_of.pop(link, None)
            if target is not None:
                self._forget(link, target)

    def other_names(self, path: str) -> list[str]:
        """The links that lead to this file, and the other names of its inode."""
        with self._lock:
            inode = self._target_of.get(path)
            twins = self._names_of.get(inode, {}) if isinstance(inode, tuple) else {}
            return [name for name in (*self._names_of.get(path, {}), *twins) if name != path]

    def pop_incomplete(self) -> bool:
        """Whether an inode with an unknown name was seen since the last call: only a scan can find that name."""
        was, self._is_incomplete = self._is_incomplete, False
        return was

    def _forget(self, link: str, target: str | Inode) -> None:
        names = self._names_of[target]
        del names[link]
        if not names:
            del self._names_of[target]
