"""Where a worker sends the tasks of other programs: what follows a search in their chains and chords.

It sends them itself, and its own default queue is one of ours, where no worker knows them.
"""

from collections.abc import Mapping
from typing import Any

from lookalike.redis_keys import TASKS

# The queue of every Celery app that names no other.
CELERYS_QUEUE = "celery"


def route_foreign_task(name: str, *_: Any, **__: Any) -> Mapping[str, str] | None:
    """Celery's default queue for a task that is not ours; one that its signature names wins."""
    return None if name in TASKS else {"queue": CELERYS_QUEUE}
