"""What a search reads of the index: vectors of its examples, nearest points, payloads, copies, paths of a pattern.

Every method raises StoreUnavailable if the store does not answer, StoreRefused if it refuses.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_client.models import (
    FieldCondition,
    Filter,
    MatchAny,
    PayloadSelectorInclude,
    QueryRequest,
    Record,
    ScoredPoint,
)

from lookalike.errors import Refused
from lookalike.search.filters import SearchFilter, matcher_of
from lookalike.search.query import By
from worker.index.chunking import PartLimit, read_in_parts
from worker.index.filters import candidates_filter
from worker.index.payload import VECTORS, WITHOUT_SMALL
from worker.index.points import Vector, Vectors, vector_in
from worker.index.qdrant import QdrantIndex, call_store
from worker.index.scrolling import Scroll
from worker.searching.ranking import Hit

BRIEF = PayloadSelectorInclude(include=["path", "sha256"])
PAGE_POINTS = 1000
# Of one answer; a content that lies in more places is told with as many.
MOST_COPIES = 10_000
# For each file that a pattern may match, so many are looked at: 20 to 30 us each, so 5 s with the default.
LOOKED_AT = 20
# A number as JSON, its comma included, has 20 or 21 characters mostly; an id has 39.
NUMBER_BYTES, ID_BYTES = 21, 40


@dataclass(frozen=True)
class Nearest:
    """The `count` nearest points from the one at `first` on; with whole payloads, or only what orders them."""

    vector: Vector
    first: int
    count: int
    chosen: Filter | None = None
    score_threshold: float | None = None
    whole: bool = True
    # Ids that `chosen` names.
    ids: int = 0
    by: By = "embedding"

    @property
    def size_bytes(self) -> int:
        """About what it takes in a request."""
        return NUMBER_BYTES * len(self.vector) + ID_BYTES * self.ids


@dataclass(frozen=True)
class Stored:
    """What the index has of an example: the vectors and the SHA-256 of its content that were asked for."""

    vectors: Vectors
    content: str


class Searching:
    """Reads one collection."""

    def __init__(self, index: QdrantIndex) -> None:
        self._client, self._collection = index.handle.client, index.handle.collection
        self._params = index.handle.params
        self._queries = PartLimit(max_bytes=index.handle.request_bytes)
        self._points, self._ids = Scroll(self._client, self._collection, PAGE_POINTS), PartLimit(max_items=PAGE_POINTS)

    def stored(self, ids: Sequence[str], *, by: Collection[By], contents: bool = False) -> dict[str, Stored]:
        """Of those points that have these vectors, in one request for up to a thousand."""
        names = [VECTORS[one] for one in by]
        found = {}
        for record in self._retrieve(ids, payload=BRIEF if contents else False, vectors=names):
            vectors = {one: vector for one in by if (vector := vector_in(record, one)) is not None}
            if len(vectors) == len(by):
                found[str(record.id)] = Stored(vectors, (record.payload or {}).get("sha256", ""))
        return found

    def nearest(self, asked: Sequence[Nearest]) -> list[list[Hit]]:
        """The answers to all, best first, in one request if the store takes it."""
        answers: list[list[Hit]] = []
        while len(answers) < len(asked):
            part = self._queries.take_first(asked[len(answers) :], lambda one: one.size_bytes)
            answers += [answer for some in read_in_parts(self._ask, part, self._queries) for answer in some]
        return answers

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The whole payloads of points, in one request for up to a thousand."""
        return {
            str(record.id): record.payload or {} for record in self._retrieve(ids, payload=WITHOUT_SMALL, vectors=False)
        }

    def copies(self, contents: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The paths of all indexed files with these contents, in order; MOST_COPIES of them at most."""
        chosen = Filter(must=[FieldCondition(key="sha256", match=MatchAny(any=[*contents]))])
        found: dict[str, list[str]] = defaultdict(list)
        left = MOST_COPIES
        for payload in self._scroll(chosen):
            found[payload["sha256"]].append(payload["path"])
            left -= 1
            if not left:
                break
        return {content: tuple(sorted(paths)) for content, paths in found.items()}

    def matching(self, wanted: SearchFilter, most: int) -> list[str]:
        """The ids of the points that the filter with its path pattern describes. Raises Refused if they are more.

        Also if they would have to be looked for among more than LOOKED_AT times as many.
        """
        matcher, chosen = matcher_of(wanted.path or ""), candidates_filter(wanted)
        candidates = call_store(self._client.count, self._collection, count_filter=chosen, exact=True).count
        if candidates > LOOKED_AT * most:
            raise Refused(
                f"The pattern {wanted.path!r} would have to be looked for among {candidates} files, at most "
                f"{LOOKED_AT * most} are ({LOOKED_AT} times LOOKALIKE_MAX_PATTERN_FILES): name a `folder`, or one "
                "at the beginning of the pattern."
            )
        found: list[str] = []
        for payload in self._scroll(chosen):
            if matcher.match_file(payload["path"]):
                found.append(payload["id"])
                if len(found) > most:
                    raise Refused(
                        f"The pattern {wanted.path!r} matches more than {most} files (LOOKALIKE_MAX_PATTERN_FILES): "
                        "name a folder by `folder` instead, or a pattern that matches less."
                    )
        return found

    def _ask(self, asked: Sequence[Nearest]) -> list[list[Hit]]:
        if len(asked) == 1:
            (one,) = asked
            return [
                _hits(
                    call_store(
                        self._client.query_points,
                        self._collection,
                        query=list(one.vector),
                        using=VECTORS[one.by],
                        limit=one.count,
                        offset=one.first,
                        query_filter=one.chosen,
                        score_threshold=one.score_threshold,
                        search_params=self._params,
                        with_payload=WITHOUT_SMALL if one.whole else BRIEF,
                    ).points,
                    whole=one.whole,
                )
            ]
        requests = [
            QueryRequest(
                query=list(one.vector),
                using=VECTORS[one.by],
                limit=one.count,
                offset=one.first,
                filter=one.chosen,
                score_threshold=one.score_threshold,
                params=self._params,
                with_payload=WITHOUT_SMALL if one.whole else BRIEF,
            )
            for one in asked
        ]
        answers = call_store(self._client.query_batch_points, self._collection, requests=requests)
        return [_hits(answer.points, whole=one.whole) for one, answer in zip(asked, answers, strict=True)]

    def _retrieve(self, ids: Sequence[str], *, payload: Any, vectors: Any) -> list[Record]:
        def ask(part: Sequence[str]) -> list[Record]:
            return call_store(
                self._client.retrieve, self._collection, ids=[*part], with_payload=payload, with_vectors=vectors
            )

        parts = read_in_parts(ask, [*dict.fromkeys(ids)], self._ids)
        return [record for records in parts for record in records]

    def _scroll(self, chosen: Filter) -> Iterator[dict[str, Any]]:
        """Path, content and id of each point that matches."""
        for records in self._points.pages(chosen, payload=BRIEF):
            for record in records:
                yield {**(record.payload or {}), "id": str(record.id)}


def _hits(points: Sequence[ScoredPoint], *, whole: bool) -> list[Hit]:
    found = []
    for point in points:
        payload = point.payload or {}
        content = payload.get("sha256", "")
        found.append(Hit(str(point.id), point.score, payload.get("path", ""), content, payload if whole else None))
    return found
