"""Calls into the embedded engine, with its errors turned into ours.

The engine names no error classes of its own: its constructors raise TypeError or ValueError, its shard calls a bare
Exception with a sentence in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

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
