"""A varied few of the index: k centres over the vectors, computed here so that no vector travels to the client."""

import numpy as np
from qdrant_client.models import Condition, FieldCondition, Filter, MatchValue, PayloadSelectorInclude

from lookalike.messages import ReadSample, SampleReply
from lookalike.search.centres import farthest_first
from worker.index.payload import VECTORS
from worker.index.points import vector_in
from worker.index.qdrant import QdrantIndex
from worker.index.scrolling import Scroll

PAGE_POINTS = 250


def sample(index: QdrantIndex, ask: ReadSample, most: int) -> SampleReply:
    """At most `count` files, chosen among the first `most` by point id, which are as good as drawn by lot.

    An id is a hash of the path. The first is the one nearest to the mean of all, so the least odd. Raises
    StoreUnavailable.
    """
    paths, vectors = _read(index, ask.under, most)
    if not paths:
        return SampleReply(paths=[], among=0)
    matrix = np.asarray(vectors, dtype=np.float32)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    first = int(np.argmax(matrix @ matrix.mean(axis=0)))
    chosen = farthest_first(ask.count, first, lambda at: (matrix @ matrix[at]).tolist())
    return SampleReply(paths=[paths[at] for at in chosen], among=len(paths))


def _read(index: QdrantIndex, under: str | None, most: int) -> tuple[list[str], list[list[float]]]:
    """Paths and vectors of indexed images, in order of point id."""
    must: list[Condition] = [FieldCondition(key="status", match=MatchValue(value="indexed"))]
    if under is not None:
        must.append(FieldCondition(key="folders", match=MatchValue(value=under)))
    paths: list[str] = []
    vectors: list[list[float]] = []
    points = Scroll(index.handle.client, index.handle.collection, min(PAGE_POINTS, most))
    only_path = PayloadSelectorInclude(include=["path"])
    for records in points.pages(Filter(must=must), payload=only_path, vectors=[VECTORS["embedding"]]):
        for record in records:
            vector = vector_in(record, "embedding")
            if vector is not None and record.payload is not None:
                paths.append(record.payload["path"])
                vectors.append([*vector])
        if len(paths) >= most:
            break
    return paths[:most], vectors[:most]
