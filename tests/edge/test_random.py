"""Any points, any filter: the edge server and local mode agree; and no body whatever is our fault."""

import math
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models
from qdrant_client.models import FieldCondition, Filter, PointStruct

from tests.edge.library import DIMENSION
from tests.edge.pair import Pair, comparable, pair

# Few examples of many parts: each is a write and two reads on both sides.
FEW = settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# One unit apart at least, so that rounding never changes the order of two neighbours.
NUMBERS = st.integers(-50, 50).map(float)
VECTORS = st.lists(NUMBERS, min_size=DIMENSION, max_size=DIMENSION)
WORDS = st.sampled_from(["red", "green", "blue", "naïve", ""])
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "word": WORDS | st.none(),
        "words": st.lists(WORDS, max_size=3),
        "size": st.integers(-5, 5),
        "ratio": st.floats(-5, 5, width=32),
        "flag": st.booleans(),
        "at": st.dates().map(lambda day: f"{day:%Y-%m-%d}T12:00:00Z"),
        "in": st.fixed_dictionaries({"size": st.integers(-5, 5)}),
    },
)
POINTS = st.lists(
    st.builds(
        PointStruct,
        id=st.integers(0, 30) | st.uuids().map(str),
        vector=st.fixed_dictionaries({"image": VECTORS}) | st.just({}),
        payload=PAYLOADS,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda point: point.id,
)

BOUNDS = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(-5, 5), min_size=1)
FIELDS = st.one_of(
    st.builds(dict, key=st.sampled_from(["word", "words"]), match=st.builds(dict, value=WORDS)),
    st.builds(dict, key=st.sampled_from(["word", "words"]), match=st.builds(dict, any=st.lists(WORDS, max_size=2))),
    st.builds(
        dict, key=st.just("word"), match=st.fixed_dictionaries({"except": st.lists(WORDS, min_size=1, max_size=2)})
    ),
    st.builds(dict, key=st.just("flag"), match=st.builds(dict, value=st.booleans())),
    st.builds(dict, key=st.sampled_from(["size", "in.size"]), match=st.builds(dict, value=st.integers(-5, 5))),
    st.builds(dict, key=st.sampled_from(["size", "in.size", "ratio"]), range=BOUNDS),
).map(FieldCondition.model_validate)
CONDITIONS = st.recursive(
    FIELDS
    | st.sampled_from(["word", "words", "size"]).map(
        lambda key: models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
    )
    | st.just(models.IsNullCondition(is_null=models.PayloadField(key="word")))
    | st.just(models.HasVectorCondition(has_vector="image"))
    | st.lists(st.integers(0, 30), max_size=5).map(lambda ids: models.HasIdCondition(has_id=list(ids))),
    lambda inner: st.builds(
        Filter,
        must=st.none() | st.lists(inner, min_size=1, max_size=2),
        should=st.none() | st.lists(inner, min_size=1, max_size=2),
        must_not=st.none() | st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=5,
)
FILTERS = st.lists(CONDITIONS, min_size=1, max_size=2).map(lambda conditions: Filter(must=[*conditions]))


@pytest.fixture(scope="module", params=[models.Distance.EUCLID, models.Distance.COSINE])
def drawn(request: pytest.FixtureRequest, client: QdrantClient) -> Any:
    with pair(client, request.param, DIMENSION) as both:
        yield both


@FEW
@given(points=POINTS, condition=FILTERS, query=VECTORS.filter(any))
def test_any_points_and_any_filter_give_the_same_answers(
    drawn: Pair, points: list[PointStruct], condition: Filter, query: list[float]
) -> None:
    drawn.both(lambda on, name: on.delete(name, Filter()))
    drawn.both(lambda on, name: on.upsert(name, points))

    drawn.agree(lambda on, name: on.scroll(name, scroll_filter=condition, limit=100, with_vectors=True))

    edge, local = (neighbours(on, drawn.name, query, condition) for on in (drawn.edge, drawn.local))
    assert [score for score, _ in edge] == pytest.approx([score for score, _ in local], rel=1e-5, abs=1e-4)
    assert {point for _, point in edge} == {point for _, point in local}


def neighbours(on: QdrantClient, name: str, query: list[float], condition: Filter) -> list[tuple[float, Any]]:
    """Scores with ids: neighbours of equal score may come in either order."""
    found = on.query_points(name, query, using="image", query_filter=condition, limit=100).points
    assert all(math.isfinite(point.score) for point in found)
    return [(point.score, comparable(point)["id"]) for point in found]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "points",
                    "filter",
                    "must",
                    "key",
                    "match",
                    "range",
                    "query",
                    "nearest",
                    "recommend",
                    "positive",
                    "limit",
                    "ids",
                    "vector",
                    "image",
                    "payload",
                    "batch",
                    "vectors",
                    "searches",
                    "operations",
                    "upsert",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
PATHS = st.sampled_from(["", "/query", "/query/batch", "/scroll", "/count", "/delete", "/payload", "/batch"])


@FEW
@given(path=PATHS, body=JSON)
@example(path="/count", body={"filter": {"must": [{"key": "a", "range": {"gt": 1e308}}]}})
def test_no_body_is_our_fault(drawn: Pair, edge_server: str, path: str, body: object) -> None:
    answer = httpx.post(f"{edge_server}/collections/{drawn.name}/points{path}", json=body)

    assert answer.status_code in {200, 400, 404, 422}, answer.text
