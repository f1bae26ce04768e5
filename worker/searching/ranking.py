"""Which of the store's points are a page, so that pages tile: equal scores in order of their paths. Pure.

The store orders equal scores as it likes, so a page is cut from a window of the list that has all points of the scores
at its two ends. The window begins with one point more at each end; where that has the same score it is widened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

# Of more equal scores than these the rest is in the store's order.
MOST_POINTS = 20_000
FIRST_GROWTH = 64


@dataclass(frozen=True)
class Hit:
    """A point that the store found; `content` is its SHA-256. `payload` is None if it was left out."""

    id: str
    score: float
    path: str
    content: str
    payload: dict[str, Any] | None = None


class Window:
    """The part of the store's list that is looked at for one page: the next request is for `count` from `first`.

    With `grouped` hits of one content count as one, and the window begins at the best.
    """

    def __init__(self, offset: int, limit: int, *, grouped: bool = False) -> None:
        self._offset = offset
        self._limit = limit
        self._grouped = grouped
        self._growth = FIRST_GROWTH
        self._hits: list[Hit] = []
        self.first = 0 if grouped else max(0, offset - 1)
        self.count = offset + limit + 1 - self.first
        self.is_done = False

    @property
    def is_small(self) -> bool:
        """Whether nearly all of what is asked for is in the page."""
        return self.count <= self._limit + 2

    def take(self, hits: Sequence[Hit]) -> None:
        """What the store answered. Afterwards the window is done, or has a larger request."""
        self._hits = [*hits]
        is_whole = len(hits) < self.count
        starts_open, ends_open = (False, False) if not hits else self._open_ends()
        starts_open, ends_open = starts_open and self.first > 0, ends_open and not is_whole
        first = max(0, self.first - self._growth) if starts_open else self.first
        last = self.first + self.count + (self._growth if ends_open else 0)
        if not (starts_open or ends_open) or last - first > MOST_POINTS:
            self.is_done = True
            return
        self.first, self.count = first, last - first
        self._growth *= 2

    def page(self) -> list[Hit]:
        """The hits of the page, best first."""
        if self._grouped:
            return [*_first_of_each(_in_order(self._hits)).values()][self._offset : self._offset + self._limit]
        begin = self._offset - self.first
        return _in_order(self._hits)[begin : begin + self._limit]

    def _open_ends(self) -> tuple[bool, bool]:
        """Whether points outside of the window may belong into the page, before it and after it."""
        last_score = self._hits[-1].score
        if self._grouped:
            settled = [hit for hit in self._hits if hit.score != last_score]
            return False, len(_first_of_each(settled)) < self._offset + self._limit
        page = self._hits[self._offset - self.first :][: self._limit]
        if not page:
            return False, False
        return self._hits[0].score == page[0].score, last_score == page[-1].score


def _in_order(hits: Sequence[Hit]) -> list[Hit]:
    """Hits of one score by their paths; the order of the scores is the store's."""
    return [hit for _, equal in groupby(hits, lambda hit: hit.score) for hit in sorted(equal, key=lambda hit: hit.path)]


def _first_of_each(hits: Sequence[Hit]) -> dict[str, Hit]:
    """The first hit of each content."""
    found: dict[str, Hit] = {}
    for hit in hits:
        found.setdefault(hit.content or hit.id, hit)
    return found
