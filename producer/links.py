"""Which names show the same file: nobody tells a link, or the other name of an inode, that the file changed."""

import threading

# About 40 MB. What is beyond is found by the next scan.
MOST_LINKS = 100_000

Inode = tuple[int, int]
"""Device and number."""


class Links:
    """Links as they were last seen, and the names of inodes that have several. Several threads use it."""

    def __init__(self, most_links: int = MOST_LINKS) -> None:
        self._most_links = most_links
        self._lock = threading.Lock()
        self._target_of: dict[str, str | Inode] = {}
        self._names_of: dict[str | Inode, dict[str, None]] = {}
        self._is_incomplete = False

    def saw(self, link: str, target: str | Inode) -> bool:
        """Remembers where a link leads, whether or not there is anything; False if that was known or finds no room."""
        with self._lock:
            before = self._target_of.get(link)
            if before == target or (before is None and len(self._target_of) >= self._most_links):
                return False
            if before is not None:
                self._forget(link, before)
            self._target_of[link] = target
            self._names_of.setdefault(target, {})[link] = None
            return True

    def saw_twin(self, name: str, inode: Inode, names: int) -> None:
        """Remembers a name of an inode that has so many; 0 from whoever is about to see them all."""
        if self.saw(name, inode) and names > len(self._names_of.get(inode, ())):
            self._is_incomplete = True

    def gone(self, link: str) -> None:
        """Forgets a link that is not there any more."""
        with self._lock:
            target = self._target_of.pop(link, None)
            if target is not None:
                self._forget(link, target)

    def beside(self, path: str) -> list[str]:
        """The links that lead to this file, and the other names of its inode."""
        with self._lock:
            inode = self._target_of.get(path)
            twins = self._names_of.get(inode, {}) if isinstance(inode, tuple) else {}
            return [name for name in (*self._names_of.get(path, {}), *twins) if name != path]

    def are_incomplete(self) -> bool:
        """Whether, since the last time, a file got a name beside one that nobody knows: only a walk can find it."""
        was, self._is_incomplete = self._is_incomplete, False
        return was

    def _forget(self, link: str, target: str | Inode) -> None:
        names = self._names_of[target]
        del names[link]
        if not names:
            del self._names_of[target]
