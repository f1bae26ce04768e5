"""Symbolic and hard links: where a link leads, and the other names of a file.

The kernel reports a change under one of a file's names only.
"""

import os
import stat
import threading
from pathlib import Path

# About 40 MB. The next scan finds changes of further links.
MAX_LINKS = 100_000

Inode = tuple[int, int]
"""Device and number."""
# Parts of paths that are looked at for one link, which may lead in a circle.
MAX_STEPS = 1000


def hops_inside(root: Path, name: str | Path) -> list[str]:
    """What a link leads through, relative to the root: each other link, and the first name that does not exist.

    An event about one of these is one about the link. Names outside the root are left out.
    """
    found: dict[Path, None] = {}
    todo = list(reversed(Path(name).parts))
    at = Path(todo.pop())
    for _ in range(MAX_STEPS):
        if not todo:
            break
        part = todo.pop()
        here = at.parent if part == ".." else at / part
        try:
            todo += reversed(here.readlink().parts)
            found[here] = None
        except FileNotFoundError:
            found[here] = None
            break
        except OSError:
            # No link.
            at = here
    return [os.fspath(hop.relative_to(root)) for hop in found if hop != Path(name) and hop.is_relative_to(root)]


def target_inside(root: Path, name: str | Path) -> Path | None:
    """The file that a name on the disk leads to through all links.

    None if that is outside the root, or if a folder on the way to the name is a link.
    """
    if leads_through_link(root, os.path.relpath(name, root)):
        return None
    target = Path(os.path.realpath(name))
    return target if target.is_relative_to(root) else None


def leads_through_link(root: Path, path: str) -> bool:
    """Whether a folder on the way to this relative path is a link: the files behind it have names of their own."""
    end = path.find("/")
    while end > 0:
        try:
            # For every file of the index: pathlib would take ten times as long.
            if stat.S_ISLNK(os.lstat(f"{root}/{path[:end]}").st_mode):
                return True
        except (OSError, ValueError):
            return False
        end = path.find("/", end + 1)
    return False


class Links:
    """Symbolic links as last seen, and the names of inodes with several hard links. Several threads use it."""

    def __init__(self, max_links: int = MAX_LINKS) -> None:
        self._max_links = max_links
        self._lock = threading.Lock()
        # Of a symbolic link the names that it leads through and its target, of a hard link the inode.
        self._led_by: dict[str, tuple[str | Inode, ...]] = {}
        self._names_of: dict[str | Inode, dict[str, None]] = {}
        self._is_incomplete = False

    def add_link(self, link: str, *targets: str | Inode) -> bool:
        """Records what a link leads through and to, existing or not; False if it was known or there is no room."""
        with self._lock:
            before = self._led_by.get(link)
            if before == targets or (before is None and len(self._led_by) >= self._max_links):
                return False
            if before is not None:
                self._forget(link, before)
            self._led_by[link] = targets
            for target in targets:
                self._names_of.setdefault(target, {})[link] = None
            return True

    def add_hard_link(self, name: str, inode: Inode, names: int) -> None:
        """Records a name of an inode that has so many names; 0 from a walk that sees them all."""
        if self.add_link(name, inode) and names > len(self._names_of.get(inode, ())):
            self._is_incomplete = True

    def remove_link(self, link: str) -> None:
        """Removes a link that was deleted."""
        with self._lock:
            targets = self._led_by.pop(link, None)
            if targets is not None:
                self._forget(link, targets)

    def other_names(self, path: str) -> list[str]:
        """The links that lead to this file or through this name, and the other names of its inode."""
        with self._lock:
            inodes = [target for target in self._led_by.get(path, ()) if isinstance(target, tuple)]
            twins = [name for inode in inodes for name in self._names_of.get(inode, {})]
            return [name for name in (*self._names_of.get(path, {}), *twins) if name != path]

    def pop_incomplete(self) -> bool:
        """Whether an inode with an unknown name was seen since the last call: only a scan can find that name."""
        was, self._is_incomplete = self._is_incomplete, False
        return was

    def _forget(self, link: str, targets: tuple[str | Inode, ...]) -> None:
        for target in targets:
            names = self._names_of[target]
            names.pop(link, None)
            if not names:
                del self._names_of[target]
