"""Reading points: the edge server answers what qdrant-client's local mode answers.

Queries are tried at each distance; what does not depend on it, at one.
"""

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.models import FieldCondition, Filter, MatchValue

from tests.edge.library import rejection, vector
from tests.edge.pair import Call, Pair

REJECTED_ID = rejection(1).id
QUERY = vector(100)


def where(key: str, match: object = None, **conditions: object) -> FieldCondition:
    return FieldCondition.model_validate({"key": key, "match": match, **conditions})


STATUS = where("status", {"value": "indexed"})
FILTERS = {
    "nothing": Filter(),
    "value": Filter(must=[STATUS]),
    "value of a list": Filter(must=[where("folders", {"value": "trip1"})]),
    "value of a boolean": Filter(must=[where("animated", {"value": True})]),
    "value of a number": Filter(must=[where("size_bytes", {"value": 3000})]),
    "value inside": Filter(must=[where("camera.make", {"value": "Änne"})]),
    "value inside a list": Filter(must=[where("camera.lens_mm[]", {"value": 7})]),
    "a lone condition": Filter(must=STATUS),
    "any": Filter(must=[where("format", {"any": ["PNG", "HEIC"]})]),
    "any number": Filter(must=[where("size_bytes", {"any": [1000, 2000]})]),
    "except": Filter(must=[where("format", {"except": ["PNG"]})]),
    "text": Filter(must=[where("path", {"text": "trip1"})]),
    "range": Filter(must=[where("size_bytes", range={"gt": 3000, "lte": 9000})]),
    "range of floats": Filter(must=[where("sharpness", range={"gte": 0.5, "lt": 1.2})]),
    "dates": Filter(must=[where("taken_at", range={"gte": "2024-03-01T00:00:00Z", "lt": "2024-06-11T10:00:00Z"})]),
    "empty": Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="taken_at"))]),
    "null": Filter(must=[models.IsNullCondition(is_null=models.PayloadField(key="taken_at"))]),
    "empty as a field": Filter(must=[where("format", is_empty=True)]),
    "not empty": Filter(must=[where("format", is_empty=False)]),
    "null as a field": Filter(must=[where("taken_at", is_null=True)]),
    "ids": Filter(must=[models.HasIdCondition(has_id=[3, 5, REJECTED_ID, 99])]),
    "vector": Filter(must=[models.HasVectorCondition(has_vector="image")]),
    "no vector": Filter(must_not=[models.HasVectorCondition(has_vector="image")]),
    "should": Filter(should=[where("format", {"value": "PNG"}), where("size_bytes", range={"lt": 2500})]),
    "must_not": Filter(must_not=[STATUS]),
    "all three": Filter(
        must=[STATUS],
        should=[where("folders", {"value": "trip0"}), where("folders", {"value": "trip2"})],
        must_not=[where("format", {"value": "HEIC"})],
    ),
    "nested": Filter(must=[Filter(should=[where("animated", {"value": True}), Filter(must_not=[STATUS])])]),
    "an unknown key": Filter(must=[where("nowhere", {"value": 1})]),
}


ONE_DISTANCE = pytest.mark.parametrize("library", [models.Distance.COSINE], indirect=True)


@ONE_DISTANCE
@pytest.mark.parametrize("condition", FILTERS.values(), ids=FILTERS)
def test_a_filter_means_the_same_to_counting_scrolling_and_searching(library: Pair, condition: Filter) -> None:
    library.agree(lambda on, name: on.count(name, count_filter=condition))
    library.agree(lambda on, name: on.scroll(name, scroll_filter=condition, limit=5))
    library.agree(lambda on, name: on.query_points(name, QUERY, using="image", query_filter=condition, limit=20))


QUERIES: dict[str, Call] = {
    "by vector": lambda on, name: on.query_points(name, QUERY, using="image"),
    "by point": lambda on, name: on.query_points(name, 3, using="image", limit=20),
    "with everything": lambda on, name: on.query_points(name, QUERY, using="image", with_vectors=True),
    "without payload": lambda on, name: on.query_points(name, QUERY, using="image", with_payload=False),
    "some of the payload": lambda on, name: on.query_points(
        name, QUERY, using="image", with_payload=["path", "camera.make"], with_vectors=["image"]
    ),
    "a page": lambda on, name: on.query_points(name, QUERY, using="image", limit=3, offset=2),
    "beyond the end": lambda on, name: on.query_points(name, QUERY, using="image", limit=3, offset=200),
    "near enough": lambda on, name: on.query_points(name, QUERY, using="image", score_threshold=0.7),
    "exact": lambda on, name: on.query_points(
        name, QUERY, using="image", search_params=models.SearchParams(exact=True, hnsw_ef=64)
    ),
    "several": lambda on, name: on.query_batch_points(
        name,
        [
            models.QueryRequest(query=QUERY, using="image", limit=2, with_payload=True),
            models.QueryRequest(query=2, using="image", limit=3, filter=Filter(must=[STATUS])),
        ],
    ),
}


@pytest.mark.parametrize("call", QUERIES.values(), ids=QUERIES)
def test_a_query_finds_the_same_neighbours_with_the_same_scores(library: Pair, call: Call) -> None:
    library.agree(call)


@pytest.mark.parametrize("strategy", list(models.RecommendStrategy))
@pytest.mark.parametrize(
    ("positive", "negative"),
    [([1, 2], []), ([1, QUERY], [5]), ([QUERY], [vector(101), vector(102)]), ([7], [8, 9])],
    ids=["likes", "a like and a vector", "vectors", "likes and dislikes"],
)
def test_a_recommendation_finds_the_same_neighbours(
    library: Pair,
    strategy: models.RecommendStrategy,
    positive: list[models.VectorInput],
    negative: list[models.VectorInput],
) -> None:
    examples = models.RecommendInput(positive=positive, negative=negative, strategy=strategy)

    library.agree(
        lambda on, name: on.query_points(name, models.RecommendQuery(recommend=examples), using="image", limit=4)
    )


RETRIEVALS: dict[str, Call] = {
    "in the order asked for": lambda on, name: on.retrieve(name, [9, REJECTED_ID, 3, 5]),
    "those that are there": lambda on, name: on.retrieve(name, [1, 404]),
    "none": lambda on, name: on.retrieve(name, []),
    "with vectors": lambda on, name: on.retrieve(name, [1, REJECTED_ID], with_vectors=True),
    "with the vector": lambda on, name: on.retrieve(name, [1, REJECTED_ID], with_vectors=["image"]),
    "ids only": lambda on, name: on.retrieve(name, [1], with_payload=False),
    "one field": lambda on, name: on.retrieve(name, [1, REJECTED_ID], with_payload=["status"]),
    "included": lambda on, name: on.retrieve(
        name, [1], with_payload=models.PayloadSelectorInclude(include=["camera.lens_mm", "folders"])
    ),
    "excluded": lambda on, name: on.retrieve(
        name, [1], with_payload=models.PayloadSelectorExclude(exclude=["camera", "folders"])
    ),
}


@ONE_DISTANCE
@pytest.mark.parametrize("call", RETRIEVALS.values(), ids=RETRIEVALS)
def test_points_are_retrieved_alike(library: Pair, call: Call) -> None:
    library.agree(call)


def pages(on: QdrantClient, name: str, limit: int) -> list[list[models.ExtendedPointId]]:
    found, offset = [], None
    while True:
        points, offset = on.scroll(name, limit=limit, offset=offset, with_payload=False)
        found.append([point.id for point in points])
        if offset is None:
            return found


@ONE_DISTANCE
@pytest.mark.parametrize("limit", [1, 5, 14, 100])
def test_scrolling_goes_through_all_points_once(library: Pair, limit: int) -> None:
    walked = library.agree(lambda on, name: pages(on, name, limit))

    assert sum(map(len, walked)) == 14


ORDERS: dict[str, models.OrderBy | str] = {
    "ascending": "size_bytes",
    "descending": models.OrderBy(key="size_bytes", direction=models.Direction.DESC),
    "from a value": models.OrderBy(key="size_bytes", start_from=4000),
    "of floats": models.OrderBy(key="sharpness", direction=models.Direction.DESC, start_from=1.0),
}


@ONE_DISTANCE
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_scrolling_in_the_order_of_a_payload_value(library: Pair, order: models.OrderBy | str) -> None:
    def ids(on: QdrantClient, name: str) -> list[models.ExtendedPointId]:
        return [point.id for point in on.scroll(name, order_by=order, limit=6)[0]]

    library.agree(ids)


def test_a_cosine_collection_stores_unit_vectors(cosine: Pair) -> None:
    """As Qdrant does, so that a vector that is read is the one that searches compare with."""
    cosine.both(lambda on, name: on.upsert(name, [models.PointStruct(id=1, vector={"image": [3.0, 0.0, 4.0, 0.0]})]))

    stored = cosine.agree(lambda on, name: on.retrieve(name, [1], with_vectors=True))

    assert stored[0]["vector"] == {"image": [0.6, 0.0, 0.8, 0.0]}


@pytest.mark.parametrize("library", [models.Distance.EUCLID, models.Distance.MANHATTAN], indirect=True)
def test_distances_come_with_the_nearest_first(library: Pair) -> None:
    found = library.edge.query_points(library.name, vector(3), using="image").points

    scores = [point.score for point in found]
    assert found[0].id == 3
    assert scores[0] == pytest.approx(0, abs=1e-6)
    assert scores == sorted(scores)


def test_a_point_without_a_vector_is_counted_and_never_found(library: Pair) -> None:
    rejected = Filter(must=[FieldCondition(key="status", match=MatchValue(value="rejected"))])

    assert library.edge.count(library.name, count_filter=rejected).count == 2
    assert not library.edge.query_points(library.name, QUERY, using="image", query_filter=rejected).points
