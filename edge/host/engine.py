"""Calls into the embedded engine, with its errors turned into ours.

The engine names no error classes of its own: its constructors raise TypeError or ValueError, its shard calls a bare
Exception with a sentence in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from qdrant_edge import MatchValue

from edge.errors import BadInput, NotFound

# How messages begin that are about the request; all others are about the disk or the engine itself
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

    The engine tries an integer first, and Python's True is one (qdrant-edge-py 0.9.0). NumPy's is not, and the engine
    knows NumPy's boolean by the name of its type alone. This class has that name, so NumPy is not needed.
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
    """Around engine constructors: turns their errors into BadInput, as the request is at fault."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        # Only the first line: what follows lists the Rust variants that were tried.
        raise BadInput(f"Format error in JSON body: {what}: {str(error).partition(chr(10))[0]}") from error


@contextmanager
def calling() -> Iterator[None]:
    """Around calls of a shard: raises NotFound and BadInput for the request's faults; the engine's own errors pass."""
    try:
        yield
    except Exception as error:
        sentence = str(error)
        if sentence.startswith(_NOT_FOUND):
            raise NotFound(f"Not found: {sentence}") from error
        if sentence.startswith(_BAD_INPUT):
            raise BadInput(f"Wrong input: {sentence}") from error
        raise
