"""Which links lead to which file of the library: nobody tells a link that the file behind it changed."""

import threading

# About 40 MB. What is beyond is found by the next scan.
MOST_LINKS = 100_000


class Links:
    """Links as they were last seen. Several threads use it."""

    def __init__(self, most_links: int = MOST_LINKS) -> None:
        self._most_links = most_links
        self._lock = threading.Lock()
        self._target_of: dict[str, str] = {}
        self._links_to: dict[str, dict[str, None]] = {}

    def saw(self, link: str, target: str) -> None:
        """Remembers where a link leads, whether or not there is anything."""
        with self._lock:
            before = self._target_of.get(link)
            if before == target or (before is None and len(self._target_of) >= self._most_links):
                return
            if before is not None:
                self._forget(link, before)
            self._target_of[link] = target
            self._links_to.setdefault(target, {})[link] = None

    def gone(self, link: str) -> None:
        """Forgets a link that is not there any more."""
        with self._lock:
            target = self._target_of.pop(link, None)
            if target is not None:
                self._forget(link, target)

    def to(self, target: str) -> list[str]:
        """The links that lead to this file."""
        with self._lock:
            return list(self._links_to.get(target, ()))

    def _forget(self, link: str, target: str) -> None:
        links = self._links_to[target]
        del links[link]
        if not links:
            del self._links_to[target]
