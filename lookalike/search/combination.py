"""Combines the vectors of several examples to one query. Pure.

    q = L2(sum of w_i * v_i / |v_i|)

A negative weight leads away from an example. This is Rocchio's formula (The SMART Retrieval System, 1971) with a weight
for each example; one vector is asked for, so every metric, filter and threshold works as for a single example.
"""

import math
from collections.abc import Sequence

from lookalike.errors import Refused

# Of vectors whose sum is shorter than this share of their weights nothing is left but rounding: they are float32.
LEAST_SHARE = 1e-6


def combine(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """The query of n vectors of D numbers and n weights: D numbers, L2 norm 1.

    Raises Refused if no weight is above 0, or if the vectors cancel each other out.
    """
    check_weights(weights)
    if len(vectors) == 1:
        return _unit(vectors[0], math.hypot(*vectors[0]))
    total = [0.0] * len(vectors[0])
    for vector, weight in zip(vectors, weights, strict=True):
        norm = math.hypot(*vector)
        # A vector without a direction adds nothing.
        scale = weight / norm if norm > 0 else 0.0
        total = [number + scale * value for number, value in zip(total, vector, strict=True)]
    length = math.hypot(*total)
    if length <= LEAST_SHARE * math.fsum(map(abs, weights)):
        raise Refused("The examples cancel each other out: leave one out, or give it another weight.")
    return _unit(total, length)


def _unit(vector: Sequence[float], length: float) -> list[float]:
    if length == 0:
        raise Refused("The vector has no direction: all its numbers are 0.")
    return [value / length for value in vector]


def check_weights(weights: Sequence[float]) -> None:
    """Raises Refused if no weight is above 0: being unlike something is no direction to search in."""
    if not any(weight > 0 for weight in weights):
        raise Refused("No example has a weight above 0: name at least one image that the neighbours should be like.")
