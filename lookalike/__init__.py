"""Drop images into a folder and search them by example."""

from lookalike.client import Client
from lookalike.errors import (
    Closed,
    CollectionMismatch,
    LookalikeError,
    Misconfigured,
    NotRunning,
    Refused,
    TimedOut,
    Unreachable,
)
from lookalike.examples import Example
from lookalike.job import Job
from lookalike.neighbour import Neighbour

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Closed",
    "CollectionMismatch",
    "Example",
    "Job",
    "LookalikeError",
    "Misconfigured",
    "Neighbour",
    "NotRunning",
    "Refused",
    "TimedOut",
    "Unreachable",
]
