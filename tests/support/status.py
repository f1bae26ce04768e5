"""A status of a system in the middle of its work, for tests of what is shown of it."""

from typing import Any

from lookalike.client.status import Status

FIELDS: dict[str, Any] = {
    "discovered": 713,
    "indexed": 640,
    "rejected": 0,
    "ignored": 0,
    "queued": 73,
    "settling": 0,
    "rate_per_s": 85.04,
    "eta_s": 0.9,
    "embedded_total": 640,
    "state": "watching",
    "warning": None,
    "model": "resnet",
    "distance": "cosine",
    "backend": None,
    "precision": None,
    "threads": None,
    "redis_url": "redis://127.0.0.1",
    "qdrant_url": None,
    "flower_url": None,
    "library": None,
    "parts": {},
}


def a_status(**changes: Any) -> Status:
    return Status(**{**FIELDS, **changes})
