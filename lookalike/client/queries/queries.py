"""A query as a caller gives it, and the messages that many of them are packed into."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from lookalike.client.queries.argument_checks import limit_given, offset_given
from lookalike.client.queries.examples import (
    Asked,
    Example,
    Examples,
    ImageReader,
    examples_given,
    search_query,
    with_images,
)
from lookalike.errors import Refused
from lookalike.messages import MAX_NUMBERS, MAX_OFFSET, ImageByVector, SearchQuery
from lookalike.search.filters import SearchFilter
from lookalike.search.query import By
from lookalike.settings import Settings

Filtered = SearchFilter | Mapping[str, Any] | str | Sequence[str]


class QueryFields(TypedDict, total=False):
    """What a query may say apart from its examples and its limit."""

    offset: int
    filter: Filtered | None
    score_threshold: float | None
    min_similarity: float | None
    exclude_self: bool
    group_exact: bool
    by: By


@dataclass(frozen=True)
class Query:
    """Examples and what may be found; `Client.search` explains the fields, `Client.search_many` takes many of these."""

    examples: Examples
    limit: int = 10
    offset: int = 0
    filter: Filtered | None = None
    score_threshold: float | None = None
    min_similarity: float | None = None
    exclude_self: bool = False
    group_exact: bool = False
    by: By = "embedding"


def wired(
    kind: type[Asked], query: Query, settings: Settings, reader: Callable[[], ImageReader]
) -> tuple[Asked, dict[str, bytes]]:
    """The query as it travels, and the bytes of its images by their keys. Raises Refused."""
    given = examples_given(query.examples)
    asked = search_query(
        kind,
        given,
        limit=limit_given(query.limit, settings.max_limit),
        offset=offset_given(query.offset, MAX_OFFSET),
        filter=query.filter,
        score_threshold=query.score_threshold,
        min_similarity=query.min_similarity,
        exclude_self=query.exclude_self,
        group_exact=query.group_exact,
        by=query.by,
    )
    return with_images(asked, given, reader())


@dataclass
class Pack:
    """Queries of one message, and their images; `faults` are the queries between them that cannot be sent.

    The places of both are those in the answer.
    """

    queries: list[SearchQuery] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[int, Refused] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Answers that are made of it."""
        return len(self.queries) + len(self.faults)

    def has_room(self, query: SearchQuery, blobs: Mapping[str, bytes], settings: Settings) -> bool:
        """Whether this query may travel in the same message: one alone always may."""
        if not self.queries:
            return True
        together = [*self.queries, query]
        sent_bytes = sum(map(len, self.blobs.values())) + sum(map(len, blobs.values()))
        images = [example.image for one in together for example in one.examples]
        return (
            len(together) <= settings.max_batch_queries
            and sum(one.limit for one in together) <= settings.max_batch_neighbours
            and sent_bytes <= settings.max_query_bytes
            and sum(len(image.vector) for image in images if isinstance(image, ImageByVector)) <= MAX_NUMBERS
        )


def packed(queries: Iterable[Query], settings: Settings, reader: Callable[[], ImageReader]) -> Iterator[Pack]:
    """The queries in messages, made as they are needed. One that is at fault is refused alone."""
    pack = Pack()
    for query in queries:
        try:
            asked, blobs = wired(SearchQuery, query, settings, reader)
        except Refused as error:
            pack.faults[pack.size] = error
        else:
            if not pack.has_room(asked, blobs, settings):
                yield pack
                pack = Pack()
            pack.queries.append(asked)
            pack.blobs |= blobs
        if pack.size >= settings.max_batch_queries:
            yield pack
            pack = Pack()
    if pack.size:
        yield pack


def queries_given(given: object, limit: int, fields: QueryFields) -> list[Query]:
    """Each item as a query: itself, or an image or examples with these fields. Raises Refused."""
    if isinstance(given, str | bytes | Mapping | Example | Query) or not isinstance(given, Iterable):
        raise Refused(f"Many queries are a list of them, and this is of type {type(given).__name__}.")
    return [one if isinstance(one, Query) else Query(one, limit, **fields) for one in given]
