"""Notifications of a bucket, and how they become events. Pure.

Records of S3's event JSON (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html), as
MinIO's Redis target with `format=access` writes them, `[{"Event": [RECORD], "EventTime": "..."}]`, or as AWS does,
`{"Records": [RECORD]}`. Keys are encoded as in a URL, a space as `+`.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from lookalike.library.address import BucketAddress
from producer.watching.events import Event, Gone, Lost, Touched

UNREADABLE = Lost("a notification of the bucket was not understood")


def events_of(message: bytes, root: BucketAddress) -> list[Event]:
    """What happened below this address; a request for a scan in place of what is not understood."""
    try:
        return [event for record in _records(json.loads(message)) if (event := _event(record, root)) is not None]
    except (ValueError, TypeError, KeyError, AttributeError):
        return [UNREADABLE]


def _records(document: Any) -> Iterator[dict[str, Any]]:
    for entry in document if isinstance(document, list) else [document]:
        # AWS sends one without records when notifications are set up.
        found = entry.get("Event", entry.get("Records", []))
        yield from found if isinstance(found, list) else [found]


def _event(record: dict[str, Any], root: BucketAddress) -> Event | None:
    key = unquote_plus(record["s3"]["object"]["key"])
    above = f"{root.prefix}/" if root.prefix else ""
    path = key.removeprefix(above)
    if record["s3"]["bucket"]["name"] != root.bucket or not key.startswith(above) or not _is_path(path):
        return None
    kind = record["eventName"].removeprefix("s3:").partition(":")[0]
    if kind == "ObjectCreated":
        return Touched(path, closed=True)
    return Gone(path) if kind in ("ObjectRemoved", "LifecycleExpiration") else None


def _is_path(key: str) -> bool:
    """Whether an object of the library may have this key; one with a slash at its end is none."""
    return all(part not in ("", ".", "..") for part in key.split("/")) and "\0" not in key
