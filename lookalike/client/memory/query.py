"""What a query finds among files in memory: filters, thresholds, groups and pages; for lookalike/testing.py. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lookalike.search.filters import Numbers, SearchFilter, Times, first_moment, matcher_of, orientation_of
from lookalike.search.neighbour import Neighbour, nearer, score_of, similarity
from lookalike.search.query import SearchQuery

Vectors = Mapping[str, Sequence[float]]
Payloads = Mapping[str, Mapping[str, Any]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def neighbours(query: SearchQuery, vector: Sequence[float], vectors: Vectors, payloads: Payloads) -> list[Neighbour]:
    """The neighbours of a vector by cosine, from the query's offset on."""
    least = nearer(query.score_threshold, score_of(query.min_similarity or 0.0, "cosine", 1), "cosine")
    ranked = sorted(
        (-math.fsum(a * b for a, b in zip(vector, other, strict=True)), path)
        for path, other in vectors.items()
        if query.filter is None or matches(query.filter, payloads[path])
    )
    near = [(-score, path) for score, path in ranked if least is None or -score >= least]
    if query.group_exact:
        near = [*_first_of_each(near, payloads)]
    return [
        Neighbour(
            path,
            score,
            similarity(score, "cosine", 1),
            payloads[path],
            payloads[path]["id"],
            _copies(path, payloads) if query.group_exact else (),
        )
        for score, path in near[query.offset : query.offset + query.limit]
    ]


def without(own: set[str], vectors: Vectors, payloads: Payloads) -> Vectors:
    """The vectors without those of these files and of their copies."""
    contents = {_content(payloads, path) for path in own}
    return {path: vector for path, vector in vectors.items() if _content(payloads, path) not in contents}


def matches(wanted: SearchFilter, payload: Mapping[str, Any]) -> bool:
    """Whether a file is what the filter describes."""
    return all(_holds(name, value, payload) for name, value in wanted if value is not None)


def _holds(name: str, value: str | Numbers | Times, payload: Mapping[str, Any]) -> bool:
    if name == "folder":
        return value in payload["folders"]
    if name == "path":
        return matcher_of(str(value)).match_file(payload["path"])
    if name == "orientation":
        width, height = payload.get("width_px"), payload.get("height_px")
        return width is not None and height is not None and orientation_of(width, height) == value
    found = payload.get(name)
    if name == "modified_at":
        found = (_EPOCH + timedelta(microseconds=payload["mtime_ns"] // 1000)).isoformat()
    if isinstance(value, str) or found is None:
        return bool(found == value)
    comparable: Any = first_moment(found) if isinstance(value, Times) else found
    return (value.gte is None or comparable >= value.gte) and (value.lte is None or comparable <= value.lte)


def _content(payloads: Payloads, path: str) -> str:
    """What copies have in common; of a file whose content is not known its path."""
    return str(payloads[path].get("sha256") or path)


def _first_of_each(ranked: Sequence[tuple[float, str]], payloads: Payloads) -> Iterator[tuple[float, str]]:
    seen = set()
    for score, path in ranked:
        if _content(payloads, path) not in seen:
            seen.add(_content(payloads, path))
            yield score, path


def _copies(path: str, payloads: Payloads) -> tuple[str, ...]:
    content = _content(payloads, path)
    return tuple(sorted(other for other in payloads if _content(payloads, other) == content))
