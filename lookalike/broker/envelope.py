"""How many files the messages in the broker ask about, read through the envelope that Celery puts around them."""

import base64
import json
from collections.abc import Mapping
from typing import Any


def files_in(message: bytes) -> int:
    """Files that a message of a queue asks about; 1 for an unreadable one, because something waits there."""
    try:
        return _files(json.loads(message))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return 1


def files_in_unacked(unacked: bytes, queues: frozenset[str]) -> int:
    """The same for an unacknowledged message, as Celery's transport keeps it; 0 if it is of another queue."""
    try:
        message, _, queue = json.loads(unacked)
        return _files(message) if queue in queues else 0
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return 1


def _files(message: Mapping[str, Any]) -> int:
    (asked, *_), *_ = json.loads(base64.b64decode(message["body"]))
    return max(1, len(asked.get("paths", ())) + len(asked.get("gone", ())))
