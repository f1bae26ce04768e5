"""What messages in the broker ask for and when they were sent, read through the envelope that Celery puts around."""

import base64
import json
from collections.abc import Mapping
from typing import Any

# Header of our messages: the Unix time by the broker's clock at which they were sent first.
SENT_AT = "sent_at"


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


def sent_at(message: bytes) -> float | None:
    """When a message of a queue was sent; None if another program sent it, or it is unreadable."""
    try:
        return float(json.loads(message)["headers"][SENT_AT])
    except (ValueError, TypeError, KeyError):
        return None


def unacked_since(unacked: bytes) -> tuple[str, float | None]:
    """Queue of an unacknowledged message and when it was sent, as above; an empty name if it is unreadable."""
    try:
        message, _, queue = json.loads(unacked)
        found = message["headers"].get(SENT_AT)
        return str(queue), None if found is None else float(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", None


def _files(message: Mapping[str, Any]) -> int:
    (asked, *_), *_ = json.loads(base64.b64decode(message["body"]))
    return max(1, len(asked.get("paths", ())) + len(asked.get("gone", ())))
