"""The tasks that search: queries in, their nearest neighbours out. One query is a list of one."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from lookalike.errors import Refused
from lookalike.library.reader import Content
from lookalike.messages import (
    QueryReply,
    SearchManyMessage,
    SearchManyReply,
    SearchMessage,
    SearchQuery,
    SearchReply,
)
from lookalike.search.filters import SearchFilter
from lookalike.search.neighbour import Neighbour, nearer, score_of, similarity
from lookalike.search.notes import note_of
from lookalike.search.query import By
from lookalike.settings import Distance, Settings
from worker.index.filters import store_filter
from worker.index.qdrant import QdrantIndex
from worker.index.searching import Nearest, Searching
from worker.searching.example_vectors import Decodes, Draft, ExampleVectors
from worker.searching.ranking import Hit, Window
from worker.syncing.sync_batch import Embeds


@dataclass(frozen=True)
class Bounds:
    """How much may be asked at once; the settings of these names say it."""

    max_limit: int = 1000
    max_query_bytes: int = 32 * 2**20
    max_batch_queries: int = 64
    max_batch_neighbours: int = 10_000
    max_pattern_files: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """Those of the settings."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})


@dataclass
class _Run:
    """A query that is being asked: its request to the store, and the part of the list that is looked at."""

    draft: Draft
    request: Nearest
    window: Window
    page: list[Hit] = field(default_factory=list)

    @property
    def next(self) -> Nearest:
        """The next request."""
        window = self.window
        return replace(self.request, first=window.first, count=window.count, whole=window.is_small)


@dataclass(frozen=True)
class Search:
    """The logic of both tasks over one index and one model, whose vectors have `dimensions` numbers."""

    index: QdrantIndex
    embedder: Embeds
    decode: Decodes
    read_query: Callable[[str], bytes | None]
    distance: Distance
    dimensions: Mapping[By, int]
    bounds: Bounds
    read_library: Callable[[str], Content | None] | None = None

    def find_neighbours(self, message: SearchMessage) -> SearchReply:
        """The neighbours of the examples, best first. Raises Refused if the query is at fault, StoreUnavailable."""
        begun = time.perf_counter()
        (answer,) = self._answers([message])
        if isinstance(answer, Refused):
            raise answer
        return SearchReply(neighbours=answer.neighbours, note=answer.note, took_ms=_ms_since(begun))

    def find_many(self, message: SearchManyMessage) -> SearchManyReply:
        """An answer for each query; a refused one has its own error. Raises Refused for too many, StoreUnavailable."""
        begun, bounds = time.perf_counter(), self.bounds
        if len(message.queries) > bounds.max_batch_queries:
            raise Refused(
                f"The message has {len(message.queries)} queries, at most {bounds.max_batch_queries} are allowed "
                "(LOOKALIKE_MAX_BATCH_QUERIES)."
            )
        wanted = sum(query.limit for query in message.queries)
        if wanted > bounds.max_batch_neighbours and len(message.queries) > 1:
            raise Refused(
                f"The message asks for {wanted} neighbours, at most {bounds.max_batch_neighbours} are allowed "
                "(LOOKALIKE_MAX_BATCH_NEIGHBOURS)."
            )
        answers = self._answers(message.queries)
        replies = [QueryReply(error=str(answer)) if isinstance(answer, Refused) else answer for answer in answers]
        return SearchManyReply(replies=replies, took_ms=_ms_since(begun))

    @cached_property
    def _searching(self) -> Searching:
        return Searching(self.index)

    @cached_property
    def _vectors(self) -> ExampleVectors:
        return ExampleVectors(
            index=self.index,
            searching=self._searching,
            embedder=self.embedder,
            decode=self.decode,
            read_query=self.read_query,
            dimensions=self.dimensions,
            max_query_bytes=self.bounds.max_query_bytes,
            read_library=self.read_library,
        )

    def _answers(self, queries: Sequence[SearchQuery]) -> list[QueryReply | Refused]:
        drafts = self._vectors.collect(queries)
        runs: dict[int, _Run] = {}
        patterns: dict[str, list[str]] = {}
        for at, draft in enumerate(drafts):
            with draft.failing_alone():
                if draft.fault is None:
                    runs[at] = self._run(draft, patterns)
        self._ask([*runs.values()])
        replies = self._replies(runs)
        return [draft.fault or replies[at] for at, draft in enumerate(drafts)]

    def _run(self, draft: Draft, patterns: dict[str, list[str]]) -> _Run:
        """The query's request. Raises Refused."""
        query = draft.query
        if query.limit > self.bounds.max_limit:
            raise Refused(
                f"The limit is {query.limit}, at most {self.bounds.max_limit} is allowed (LOOKALIKE_MAX_LIMIT)."
            )
        ids = self._matching(query.filter, patterns)
        threshold, dimension = query.score_threshold, self.dimensions[draft.by]
        if query.min_similarity is not None:
            threshold = nearer(threshold, score_of(query.min_similarity, self.distance, dimension), self.distance)
        chosen = store_filter(query.filter, ids=ids, without=draft.without)
        request = Nearest(draft.vector, 0, 0, chosen, threshold, ids=len(ids or ()), by=draft.by)
        window = Window(query.offset, query.limit, grouped=query.group_exact)
        # Nothing matches the pattern.
        window.is_done = ids == []
        return _Run(draft, request, window)

    def _matching(self, wanted: SearchFilter | None, patterns: dict[str, list[str]]) -> list[str] | None:
        """The points that a path pattern means, looked for once if many queries have it; None without a pattern."""
        if wanted is None or wanted.path is None:
            return None
        key = wanted.model_dump_json()
        if key not in patterns:
            patterns[key] = self._searching.matching(wanted, self.bounds.max_pattern_files)
        return patterns[key]

    def _ask(self, runs: Sequence[_Run]) -> None:
        """Fills the pages: one request for all, and more for those at whose ends there are equal scores."""
        while still := [run for run in runs if not run.window.is_done]:
            for run, hits in zip(still, self._searching.nearest([run.next for run in still]), strict=True):
                run.window.take(hits)
        for run in runs:
            run.page = run.window.page()

    def _replies(self, runs: dict[int, _Run]) -> dict[int, QueryReply]:
        brief = [hit.id for run in runs.values() for hit in run.page if hit.payload is None]
        payloads = self._searching.payloads(brief) if brief else {}
        grouped = {hit.content for run in runs.values() if run.draft.query.group_exact for hit in run.page}
        copies = self._searching.copies(sorted(grouped)) if grouped else {}
        replies = {}
        for at, run in runs.items():
            query, found = run.draft.query, []
            for hit in run.page:
                # A point that was deleted a moment ago has none.
                payload = payloads.get(hit.id) if hit.payload is None else hit.payload
                if payload is not None:
                    near = similarity(hit.score, self.distance, self.dimensions[run.draft.by])
                    paths = copies.get(hit.content, (hit.path,)) if query.group_exact else ()
                    found.append(Neighbour(hit.path, hit.score, near, payload, hit.id, paths))
            replies[at] = QueryReply(neighbours=found, note=note_of(query, found, run.draft.by))
        return replies


def _ms_since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 2)
