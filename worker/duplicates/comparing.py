"""The verdict on a pair of contents, of what is kept of them."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from worker.duplicates.kept import ContentPair, Kept
from worker.duplicates.pixels import Pixels
from worker.duplicates.small import Small
from worker.duplicates.verdict import look

# Another picture of the same thing: so near by descriptor, or so much of it agrees (docs/duplicates.md).
SIMILAR, SIMILAR_AGREEING = 0.8, 0.6
# Only pictures that may have the same pixels are decoded: of one size, and so near by descriptor and small picture.
SAME_SIMILARITY, SAME_LEVELS = 0.98, 1.5
# Small pictures that are open at once: 80 kB each.
OPEN = 512


class Comparing:
    """Looks at pairs. `before_look` is called before each, and lets searches go first."""

    def __init__(self, kept: Kept, pixels: Pixels, before_look: Callable[[], None] = lambda: None) -> None:
        self._kept = kept
        self._pixels = pixels
        self._before_look = before_look
        self._small = lru_cache(OPEN)(self._open_small)

    def compare(self, a: str, b: str, similarity: float) -> ContentPair | None:
        """The pair with its label; None for two pictures that have nothing in common."""
        self._before_look()
        a, b = min(a, b), max(a, b)
        similarity = min(1.0, max(0.0, similarity))
        first, second = self._small(a), self._small(b)
        if first is None or second is None:
            return ContentPair(a, b, "similar", similarity) if similarity >= SIMILAR else None
        if similarity >= SAME_SIMILARITY and _may_be_same(first, second) and self._are_same(a, b):
            return ContentPair(a, b, "same", similarity)
        seen = look(first, second)
        if seen.is_near:
            return ContentPair(a, b, "near", similarity)
        if similarity >= SIMILAR or seen.agreeing >= SIMILAR_AGREEING:
            return ContentPair(a, b, "similar", similarity)
        return None

    def _are_same(self, a: str, b: str) -> bool:
        first, second = self._kept.one_file(a), self._kept.one_file(b)
        if (first.width_px, first.height_px) != (second.width_px, second.height_px):
            return False
        return self._pixels.are_same((first.path, a), (second.path, b))

    def _open_small(self, sha256: str) -> Small | None:
        jpeg = self._kept.small(sha256)
        if not jpeg:
            # Of a point that was written before there were small pictures.
            jpeg = self._pixels.small(self._kept.one_file(sha256).path, sha256)
        return Small.of(jpeg) if jpeg else None


def _may_be_same(a: Small, b: Small) -> bool:
    return a.luma.shape == b.luma.shape and float(np.abs(a.luma - b.luma).mean()) < SAME_LEVELS
