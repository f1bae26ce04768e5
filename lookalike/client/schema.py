"""The contract as one JSON document, for programs in any language: tasks, queues, and what they take and answer."""

from typing import Any

from pydantic import TypeAdapter

from lookalike.broker.events import Event
from lookalike.messages import (
    CountsReply,
    DuplicatesMessage,
    DuplicatesReply,
    FilesReply,
    ReadMessage,
    SampleReply,
    SearchManyMessage,
    SearchManyReply,
    SearchMessage,
    SearchReply,
    SyncMessage,
    SyncReply,
    ThumbnailMessage,
    ThumbnailReply,
    VerdictMessage,
    VerdictReply,
    VerdictsReply,
)
from lookalike.redis_keys import DUPLICATES, READ, SEARCH, SEARCH_MANY, SYNC, THUMBNAIL, VERDICT, Keys


def schema_of(keys: Keys) -> dict[str, Any]:
    """Each task with its queue and the JSON schemas of its only argument and its result; and the stream of events."""
    contract: dict[str, tuple[str, type, Any]] = {
        SEARCH: (keys.search, SearchMessage, SearchReply),
        SEARCH_MANY: (keys.search, SearchManyMessage, SearchManyReply),
        READ: (keys.search, ReadMessage, CountsReply | FilesReply | SampleReply | VerdictsReply),
        VERDICT: (keys.search, VerdictMessage, VerdictReply),
        THUMBNAIL: (keys.thumbnails, ThumbnailMessage, ThumbnailReply),
        SYNC: (keys.ingest, SyncMessage, SyncReply),
        DUPLICATES: (keys.duplicates, DuplicatesMessage, DuplicatesReply),
    }
    return {
        "tasks": {
            task: {
                "queue": queue,
                "message": TypeAdapter(message).json_schema(mode="validation"),
                "reply": TypeAdapter(reply).json_schema(mode="serialization"),
            }
            for task, (queue, message, reply) in contract.items()
        },
        "events": {"stream": keys.events, "event": TypeAdapter(Event).json_schema(mode="serialization")},
    }
