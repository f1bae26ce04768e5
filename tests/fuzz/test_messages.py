"""Whatever JSON comes from a queue is one of our messages or refused in a sentence."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lookalike.errors import Refused
from lookalike.messages import ReadMessage, SearchManyMessage, SearchMessage, SyncMessage
from worker.tasks import parse_message

KINDS: list[type[BaseModel]] = [SyncMessage, SearchMessage, SearchManyMessage, ReadMessage]
# Our own words, so that some of what comes up is nearly right.
WORDS = st.sampled_from(
    (
        *("v", "paths", "gone", "library", "retry_rejected", "image", "limit", "path", "key", "base64", "ask", "what"),
        *("counts", "page", "known", "after", "status", "under", "indexed"),
        *("../secret.png", "a.png", "\0", "\ud800", "1", ""),
        *("examples", "weight", "box", "offset", "filter", "score_threshold", "folder", "gte", "2024-05", "2024-02-30"),
        *(
            "queries",
            "id",
            "vector",
            "box_px",
            "url",
            "https://a.b/c",
            "folder=a",
            "width_px>=3",
            "path=[",
            "'",
            "*.jpg",
        ),
    )
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-1, 2)
    | st.floats()
    | st.text(max_size=20)
    | WORDS
    | st.sampled_from(["x" * 5000, "5f0c9a4e-6d1b-4b0e-9d59-7a1f0e2b8c11", 10**400])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=5)
)
PATHS = st.lists(WORDS | LEAVES, max_size=3) | st.just(["a.png"] * 1001)
FORMS = st.sampled_from(["path", "key", "base64", "id", "vector", "url"])
IMAGES = st.dictionaries(FORMS, LEAVES | st.lists(LEAVES, max_size=3), max_size=2) | st.just({"path": "a.png"})
RANGES = LEAVES | st.fixed_dictionaries({}, optional={"gte": LEAVES, "lte": LEAVES})
FILTERS = (
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("folder", "path", "format", "size_bytes", "orientation", "taken_at", "modified_at", "indexed_at"), RANGES
        ),
    )
    | st.lists(WORDS | st.text(max_size=20), max_size=3)
    | st.text(max_size=30)
)
BOXES = st.lists(LEAVES, max_size=4)
QUERY = {
    "limit": LEAVES,
    "offset": LEAVES,
    "filter": FILTERS,
    "score_threshold": LEAVES,
    "min_similarity": LEAVES,
    "exclude_self": LEAVES,
    "group_exact": LEAVES,
}
EXAMPLES = st.lists(
    st.fixed_dictionaries({"image": IMAGES}, optional={"weight": LEAVES, "box": BOXES, "box_px": BOXES}), max_size=3
)
NEARLY = {
    SyncMessage: st.fixed_dictionaries(
        {}, optional={"v": LEAVES, "paths": PATHS, "gone": PATHS, "retry_rejected": LEAVES}
    ),
    SearchMessage: st.fixed_dictionaries({"examples": EXAMPLES}, optional={"v": LEAVES, **QUERY}),
    SearchManyMessage: st.fixed_dictionaries(
        {"queries": st.lists(st.fixed_dictionaries({"examples": EXAMPLES}, optional=QUERY), max_size=3)},
        optional={"v": LEAVES},
    ),
    ReadMessage: st.fixed_dictionaries(
        {"ask": st.fixed_dictionaries({"what": WORDS}, optional={"paths": PATHS, "after": LEAVES, "limit": LEAVES})}
    ),
}


def check(kind: type[BaseModel], message: Any) -> None:
    said, found = "", None
    try:
        found = parse_message(kind, message)
    except Refused as refused:
        said = str(refused)
    if found is None:
        assert said.startswith(f"This is no {kind.__name__}: ")
    else:
        # What was understood can be sent on, and means the same there.
        assert parse_message(kind, json.loads(found.model_dump_json())) == found


@pytest.mark.parametrize("kind", KINDS)
@given(message=JSON)
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_json_is_understood_or_refused(kind: type[BaseModel], message: Any) -> None:
    check(kind, message)


@pytest.mark.parametrize("kind", KINDS)
@given(choice=st.data())
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_is_nearly_a_message_is_understood_or_refused(kind: type[BaseModel], choice: st.DataObject) -> None:
    check(kind, choice.draw(NEARLY[kind]))
