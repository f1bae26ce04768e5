"""Drop images into a folder and search them by example."""

from lookalike.client import Client
from lookalike.client.async_client import AsyncClient
from lookalike.client.examples import Example
from lookalike.client.job import Job
from lookalike.errors import (
    Cancelled,
    Closed,
    CollectionMismatch,
    LookalikeError,
    Misconfigured,
    NoSuchJob,
    NotRunning,
    Refused,
    TimedOut,
    Unreachable,
)
from lookalike.search.neighbour import Neighbour

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Cancelled",
    "Client",
    "Closed",
    "CollectionMismatch",
    "Example",
    "Job",
    "LookalikeError",
    "Misconfigured",
    "Neighbour",
    "NoSuchJob",
    "NotRunning",
    "Refused",
    "TimedOut",
    "Unreachable",
]
