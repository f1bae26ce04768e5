"""A neighbour: what a search returns, and how near it is on a scale that people understand."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from lookalike.settings import Distance


@dataclass(frozen=True)
class Neighbour:
    """An indexed image near the query.

    `path` is relative to the library. `score` is what the store returned: for cosine and dot higher is
    nearer, for euclid and manhattan lower. `similarity` is 0 to 1 and higher is nearer, whatever the
    distance. `payload` is what the index knows of the file.
    """

    # As in every message (lookalike/messages.py), of which a neighbour is a part.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    path: str
    score: float
    similarity: float
    payload: Mapping[str, Any]


class Neighbours(list[Neighbour]):
    """What a search found, best first: a list. `note` is one sentence if it was answered otherwise than asked."""

    def __init__(self, found: Iterable[Neighbour] = (), note: str | None = None) -> None:
        super().__init__(found)
        self.note = note


def similarity(score: float, distance: Distance, dimension: int) -> float:
    """The cosine of two unit vectors with this score, clipped at 0: 1 is the same image, 0 unrelated.

    For unit vectors the squared euclidean distance is 2 - 2 cos. The manhattan distance fixes no cosine:
    if the differences are spread over the dimensions like Gaussian noise it is sqrt(2 D / pi) times the
    euclidean one (the mean of a half-normal distribution), and that estimate is used.
    """
    if distance in ("cosine", "dot"):
        cosine = score
    else:
        euclid = score if distance == "euclid" else score / math.sqrt(2 * dimension / math.pi)
        cosine = 1 - euclid**2 / 2
    return min(1.0, max(0.0, cosine))
