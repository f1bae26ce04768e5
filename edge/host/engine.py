"""Calls into the embedded engine, with its errors turned into ours.

The engine names no error classes of its own: its constructors raise TypeError or ValueError, its shard calls a bare
Exception with a sentence in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from qdrant_edge import MatchValue

from edge.errors import BadInput, NotFound

# How the sentences begin that speak of the request; any other one speaks of the disk or of the engine itself
# (qdrant-edge-py 0.9.0; tests/edge/test_refusals.py goes through them).
_NOT_FOUND = ("No point with id",)
_BAD_INPUT = (
    "Vector dimension error",
    "Not existing vector name",
    "No range index",
    "Validation failed",
    "Field ",
    "Wrong input",
    "Bad request",
    "Bad input",
)


class _Boolean:
    """A boolean that the engine's constructor does not take for 1 or 0.

    It tries the integer first, and Python's True is one (qdrant-edge-py 0.9.0). Numpy's is not, so after that it asks
    for a boolean, by the name of the type alone. This has the name, and spares us numpy.
    """

    def __init__(self, value: bool) -> None:  # noqa: FBT001  (it is the value)
        self._value = value

    def __bool__(self) -> bool:
        return self._value


_Boolean.__module__, _Boolean.__name__ = "numpy", "bool"


def match_value(value: Any) -> MatchValue:
    """The condition that a payload value equals this string, integer or boolean. Raises TypeError."""
    return MatchValue(cast("bool", _Boolean(value)) if isinstance(value, bool) else value)


@contextmanager
def building(what: str) -> Iterator[None]:
    """Wraps engine constructors: what they do not take was wrong in the request."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        # Only the first line: what follows lists the Rust variants that were tried.
        raise BadInput(f"Format error in JSON body: {what}: {str(error).partition(chr(10))[0]}") from error


@contextmanager
def calling() -> Iterator[None]:
    """Wraps calls of a shard: raises NotFound and BadInput for the request's faults, lets the engine's own through."""
    try:
        yield
    except Exception as error:
        sentence = str(error)
        if sentence.startswith(_NOT_FOUND):
            raise NotFound(f"Not found: {sentence}") from error
        if sentence.startswith(_BAD_INPUT):
            raise BadInput(f"Wrong input: {sentence}") from error
        raise
