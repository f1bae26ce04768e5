"""Drop images into a folder and search them by example."""

from lookalike.client import Client
from lookalike.client.async_client import AsyncClient
from lookalike.client.job import Job
from lookalike.client.queries.examples import Example
from lookalike.client.queries.queries import Query
from lookalike.client.queries.searches import Answer, Searches
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
from lookalike.search.neighbour import Neighbour, Neighbours

__version__ = "0.1.0"

__all__ = [
    "Answer",
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
    "Neighbours",
    "NoSuchJob",
    "NotRunning",
    "Query",
    "Refused",
    "Searches",
    "TimedOut",
    "Unreachable",
]
