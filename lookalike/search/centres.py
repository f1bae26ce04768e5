"""Chooses a varied few of many points: k centres, each as far from those before it as any is. Pure.

The greedy algorithm of Gonzalez (Clustering to minimize the maximum intercluster distance, 1985): the point that is
farthest from its centre is at most twice as far as with the best k centres.
"""

import math
from collections.abc import Callable, Sequence


def farthest_first(count: int, first: int, similarities: Callable[[int], Sequence[float]]) -> list[int]:
    """At most `count` points in the order of their choice, beginning with `first`; no two that are the same.

    `similarities` has one number for each point: how similar it is to the given one, 1 for the same.
    """
    nearest = [-math.inf] * len(similarities(first))
    chosen: list[int] = []
    at = first
    while True:
        chosen.append(at)
        nearest = [max(pair) for pair in zip(nearest, similarities(at), strict=True)]
        nearest[at] = math.inf
        at = min(range(len(nearest)), key=nearest.__getitem__)
        if len(chosen) == count or nearest[at] >= ALIKE:
            return chosen


# Of float32 vectors of one image, whose similarity is 1 but for rounding.
ALIKE = 1 - 1e-5
