"""A neighbour: what a search returns, and how near it is on a scale that people understand."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from lookalike.settings import Distance

# Scores are float32, in which similarities near 1 have a step of 6e-8 and sums of them a few more.
SIMILARITY_STEP = 1e-6


@dataclass(frozen=True)
class Neighbour:
    """An indexed image near the query.

    `path` is relative to the library. `score` is what the store returned: for cosine and dot higher is
    nearer, for euclid and manhattan lower. `similarity` is 0 to 1 and higher is nearer, whatever the
    distance. `payload` is what the index knows of the file. `id` is its point in the index. `paths` are all files of
    the same content that the filter describes, if the search was asked to group them; else there are none.
    """

    # As in every message (lookalike/messages/), of which a neighbour is a part.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    path: str
    score: float
    similarity: float
    payload: Mapping[str, Any]
    id: str = ""
    paths: tuple[str, ...] = ()


class Neighbours(list[Neighbour]):
    """What a search found, best first: a list. `note` is a sentence if there is nothing, or what was asked was not.

    In Jupyter it shows itself by `show`, which makes HTML of the neighbours and the note.
    """

    def __init__(
        self,
        found: Iterable[Neighbour] = (),
        note: str | None = None,
        *,
        show: Callable[[Sequence[Neighbour], str | None], str] | None = None,
    ) -> None:
        super().__init__(found)
        self.note = note
        self._show = show

    def _repr_html_(self) -> str | None:
        return None if self._show is None else self._show(self, self.note)


def is_ascending(distance: Distance) -> bool:
    """Whether a lower score is nearer."""
    return distance in ("euclid", "manhattan")


def similarity(score: float, distance: Distance, dimension: int) -> float:
    """The cosine of two unit vectors with this score, clipped at 0: 1 is the same image, 0 unrelated.

    For unit vectors the squared euclidean distance is 2 - 2 cos. The manhattan distance fixes no cosine:
    if the differences are spread over the dimensions like Gaussian noise it is sqrt(2 D / pi) times the
    euclidean one (the mean of a half-normal distribution), and that estimate is used.
    """
    if distance in ("cosine", "dot"):
        cosine = score
    else:
        euclid = score if distance == "euclid" else score / _manhattan_per_euclid(dimension)
        cosine = 1 - euclid**2 / 2
    return min(1.0, max(0.0, cosine))


def score_of(least_similarity: float, distance: Distance, dimension: int) -> float | None:
    """The farthest score of images at least so similar: the inverse of `similarity`; None for 0, which all are.

    A millionth is added, so that what is the same but for the rounding of float32 has a similarity of 1.
    """
    if least_similarity <= 0:
        return None
    cosine = least_similarity - SIMILARITY_STEP
    if distance in ("cosine", "dot"):
        return cosine
    euclid = math.sqrt(2 - 2 * cosine)
    return euclid if distance == "euclid" else euclid * _manhattan_per_euclid(dimension)


def nearer(one: float | None, other: float | None, distance: Distance) -> float | None:
    """The stricter of two thresholds; None is no threshold."""
    given = [score for score in (one, other) if score is not None]
    if not given:
        return None
    return min(given) if is_ascending(distance) else max(given)


def _manhattan_per_euclid(dimension: int) -> float:
    return math.sqrt(2 * dimension / math.pi)
