"""Turns the bodies of reading requests into engine requests.

The engine compares with vectors only, so queries by point id and recommendations by average are resolved here. A
function gives the vectors of the points that a query names, and those points never appear in the response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as engine

from edge.errors import BadInput
from edge.host.engine import building
from edge.host.filters import excluding, parse_filter
from edge.host.points import checked_id
from edge.json_fields import Fields

Vector = list[float]
# (point id, vector name) -> the stored vector. Raises NotFound.
VectorOf = Callable[[Any, str], Vector]

_QUERY = (
    "query", "using", "filter", "params", "score_threshold", "limit", "offset", "with_payload", "with_vector",
)  # fmt: skip
_STRATEGIES = ("average_vector", "best_score", "sum_scores")
DEFAULT_LIMIT = 10


def query(body: object, vector_of: VectorOf) -> engine.QueryRequest:
    """One search. `query` is a vector, a point id, `{"nearest": ...}`, `{"recommend": ...}` or null (any points)."""
    fields = Fields(body, "body", _QUERY)
    using = fields.get("using")
    if fields.get("query") is None and fields.get("score_threshold") is not None:
        raise BadInput("Wrong input: A query is needed to use the score_threshold")
    scoring, named_ids = _scoring(fields.get("query"), "" if using is None else fields.text("using"), vector_of)
    with building(fields.where):
        return engine.QueryRequest(
            limit=fields.count("limit", DEFAULT_LIMIT, minimum=1),
            offset=fields.count("offset", 0, minimum=0),
            query=scoring,
            filter=excluding(named_ids, parse_filter(fields.get("filter"))),
            score_threshold=fields.number("score_threshold"),
            params=_params(fields.get("params")),
            with_payload=_payload_selector(fields, default=False),
            with_vector=_vector_selector(fields),
        )


def query_batch(body: object, vector_of: VectorOf) -> engine.QueryBatchRequest:
    """`{"searches": [...]}`: several searches in one pass over the points."""
    searches = Fields(body, "body", ("searches",)).array("searches")
    return engine.QueryBatchRequest([query(search, vector_of) for search in searches])


def scroll(body: object) -> engine.ScrollRequest:
    """A page of points by id, or by a payload value with an index that knows ranges (`order_by`)."""
    fields = Fields(body, "body", ("offset", "limit", "filter", "with_payload", "with_vector", "order_by"))
    offset = fields.get("offset")
    with building(fields.where):
        return engine.ScrollRequest(
            offset=None if offset is None else checked_id(offset),
            limit=fields.count("limit", DEFAULT_LIMIT, minimum=1),
            filter=parse_filter(fields.get("filter")),
            with_payload=_payload_selector(fields, default=True),
            with_vector=_vector_selector(fields),
            order_by=_order_by(fields.get("order_by")),
        )


def count(body: object) -> engine.CountRequest:
    """How many points a filter matches, all of them without one."""
    fields = Fields(body, "body", ("filter", "exact"))
    return engine.CountRequest(exact=fields.flag("exact") is not False, filter=parse_filter(fields.get("filter")))


def retrieve(body: object) -> tuple[list[Any], engine.WithPayloadType, engine.WithVectorType]:
    """Ids, and the parts of the points to send."""
    fields = Fields(body, "body", ("ids", "with_payload", "with_vector"))
    ids = [checked_id(point_id) for point_id in fields.array("ids")]
    return ids, _payload_selector(fields, default=True), _vector_selector(fields)


def _scoring(value: Any, using: str, vector_of: VectorOf) -> tuple[engine.Query | None, list[Any]]:
    """The engine's query and the ids that it names."""
    if value is None:
        return None, []
    if not isinstance(value, dict):
        value = {"nearest": value}
    fields = Fields(value, "query", ("nearest", "recommend"))
    if fields.get("recommend") is not None:
        return _recommend(fields.get("recommend"), using, vector_of)
    vectors, ids = _examples([fields.required("nearest")], using, vector_of)
    with building("query.nearest"):
        return engine.Query.Nearest(vectors[0], using=using), ids


def _recommend(value: object, using: str, vector_of: VectorOf) -> tuple[engine.Query, list[Any]]:
    fields = Fields(value, "query.recommend", ("positive", "negative", "strategy"))
    positives, liked = _examples(fields.maybe_array("positive"), using, vector_of)
    negatives, disliked = _examples(fields.maybe_array("negative"), using, vector_of)
    strategy = fields.get("strategy")
    ids = liked + disliked
    if not positives and (strategy in {None, "average_vector"} or not negatives):
        raise BadInput("Wrong input: At least one positive vector ID required with this strategy")
    with building(fields.where):
        if strategy is None or strategy == "average_vector":
            return engine.Query.Nearest(_average(positives, negatives), using=using), ids
        examples = engine.RecommendQuery([*positives], [*negatives])
        if strategy == "best_score":
            return engine.Query.RecommendBestScore(examples, using=using), ids
        if strategy == "sum_scores":
            return engine.Query.RecommendSumScores(examples, using=using), ids
    raise BadInput(f"Format error in JSON body: {fields.where}.strategy: expected one of {', '.join(_STRATEGIES)}")


def _examples(values: list[Any], using: str, vector_of: VectorOf) -> tuple[list[Vector], list[Any]]:
    """Each example is a vector or the id of a point that has one."""
    vectors, ids = [], []
    for value in values:
        if isinstance(value, list):
            vectors.append(value)
        else:
            ids.append(checked_id(value))
            vectors.append(vector_of(value, using))
    return vectors, ids


def _average(positives: list[Vector], negatives: list[Vector]) -> Vector:
    """The mean of what is liked, moved off the mean of what is not: 2 * positive - negative.

    Source: qdrant.tech/documentation/concepts/explore, "Average vector strategy". Raises BadInput for mixed dimensions.
    """
    if len({len(vector) for vector in positives + negatives}) > 1:
        raise BadInput("Wrong input: Vector dimension error: the examples differ in length")
    liked = _mean(positives)
    if not negatives:
        return liked
    return [2 * like - dislike for like, dislike in zip(liked, _mean(negatives), strict=True)]


def _mean(vectors: list[Vector]) -> Vector:
    return [sum(values) / len(vectors) for values in zip(*vectors, strict=True)]


def _params(value: object) -> engine.SearchParams | None:
    if value is None:
        return None
    fields = Fields(value, "params", ("exact", "hnsw_ef"))
    hnsw_ef = None if fields.get("hnsw_ef") is None else fields.count("hnsw_ef", 0, minimum=0)
    return engine.SearchParams(exact=fields.flag("exact") is True, hnsw_ef=hnsw_ef)


def _order_by(value: object) -> engine.OrderBy | None:
    if value is None:
        return None
    if isinstance(value, str):
        return engine.OrderBy(value)
    fields = Fields(value, "order_by", ("key", "direction", "start_from"))
    direction = {None: None, "asc": engine.Direction.Asc, "desc": engine.Direction.Desc}
    if fields.get("direction") not in direction:
        raise BadInput("Format error in JSON body: order_by.direction: expected asc or desc")
    return engine.OrderBy(fields.text("key"), direction[fields.get("direction")], fields.get("start_from"))


def _payload_selector(fields: Fields, *, default: bool) -> engine.WithPayloadType:
    """A boolean, a list of paths, `{"include": [...]}` or `{"exclude": [...]}`."""
    value = fields.get("with_payload")
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    where = f"{fields.where}.with_payload"
    if isinstance(value, list):
        return engine.PayloadSelector.Include(_names(value, where))
    inner = Fields(value, where, ("include", "exclude"))
    if inner.get("include") is not None:
        return engine.PayloadSelector.Include(_names(inner.array("include"), where))
    return engine.PayloadSelector.Exclude(_names(inner.array("exclude"), where))


def _vector_selector(fields: Fields) -> engine.WithVectorType:
    """A boolean or a list of vector names; none is sent unless asked for."""
    value = fields.get("with_vector")
    if value is None:
        return False
    return value if isinstance(value, bool) else _names(value, f"{fields.where}.with_vector")


def _names(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadInput(f"Format error in JSON body: {where}: expected a boolean or a list of names")
    return value
