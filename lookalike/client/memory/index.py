"""An index in memory that answers the messages of a search, a sync and a read; for lookalike/testing.py."""

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from operator import mul
from pathlib import PurePosixPath
from typing import Any

from lookalike.client.memory.query import neighbours, without
from lookalike.client.memory.verdicts import MemoryVerdicts
from lookalike.errors import Refused
from lookalike.library.paths import validate_path
from lookalike.messages import (
    CountsReply,
    DuplicatesMessage,
    FilesReply,
    ImageById,
    ImageByKey,
    ImageByPath,
    ImageByVector,
    KnownFile,
    QueryReply,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadSample,
    ReadVerdicts,
    SampleReply,
    SearchExample,
    SearchManyMessage,
    SearchManyReply,
    SearchMessage,
    SearchQuery,
    SearchReply,
    Strict,
    SyncMessage,
    SyncReply,
    ThumbnailMessage,
    VerdictMessage,
    VerdictsReply,
)
from lookalike.search.centres import farthest_first
from lookalike.search.combination import combine
from lookalike.search.neighbour import Neighbour
from lookalike.search.notes import note_of
from lookalike.search.query import By

DIMENSION = 16
# The bytes of an image and the box of it, to a vector.
Embed = Callable[[bytes, Sequence[float] | None], Sequence[float]]


class MemoryIndex:
    """Files with vectors and payloads. Compares by cosine; by copy only where `describe_copy` makes the vectors."""

    def __init__(self, embed: Embed | None, describe_copy: Embed | None = None) -> None:
        self._embed: dict[By, Embed] = {"embedding": embed or self._digest}
        if describe_copy is not None:
            self._embed["copy"] = describe_copy
        self._by: dict[By, dict[str, list[float]]] = {by: {} for by in self._embed}
        self._vectors = self._by["embedding"]
        self._payloads: dict[str, dict[str, Any]] = {}
        self._verdicts = MemoryVerdicts()
        self._dimension = DIMENSION

    def add(self, path: str, image: Sequence[float] | bytes, payload: Mapping[str, Any]) -> None:
        """Indexes a file, by its vector or by bytes that are embedded. Raises ValueError for another dimension.

        A file without bytes has the same vector for copies, too.
        """
        made = {by: self._made(by, image) for by in self._by}
        for by, vector in made.items():
            self._by[by][path] = vector
        self._dimension = len(made["embedding"])
        content = hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else None
        self._payloads[path] = {**_payload(path), "status": "indexed", "sha256": content, **payload}

    def _made(self, by: By, image: Sequence[float] | bytes) -> list[float]:
        vector = [float(value) for value in (self._embed[by](image, None) if isinstance(image, bytes) else image)]
        known = next(iter(self._by[by].values()), vector)
        if len(vector) != len(known):
            raise ValueError(f"this vector has {len(vector)} numbers, the others have {len(known)}")
        return combine([vector], [1.0])

    def reject(self, path: str, reason: str) -> None:
        """Records a file that cannot be embedded."""
        for vectors in self._by.values():
            vectors.pop(path, None)
        self._payloads[path] = {**_payload(path), "status": "rejected", "reason": reason}

    def counts(self) -> CountsReply:
        """How much is indexed and rejected."""
        indexed, known = len(self._vectors), len(self._payloads)
        return CountsReply(
            indexed=indexed, rejected=known - indexed, library="memory", model="memory", distance="cosine",
            backend="cpu", precision="float64", threads=1, generation="memory", has_copies="copy" in self._by,
        )  # fmt: skip

    def answer(self, message: Strict, blobs: Mapping[str, bytes]) -> Any:
        """The reply to a message as JSON. Raises Refused."""
        if isinstance(message, SearchMessage):
            found, note = self._search(message, blobs)
            return SearchReply(neighbours=found, took_ms=0.0, note=note).model_dump(mode="json")
        if isinstance(message, SearchManyMessage):
            return self._many(message, blobs).model_dump(mode="json")
        if isinstance(message, SyncMessage):
            known = sum(path in self._payloads for path in message.paths)
            return SyncReply(unchanged=known, absent=len(message.paths) - known).model_dump(mode="json")
        if isinstance(message, VerdictMessage):
            return self._verdicts.record(message, self._payloads).model_dump(mode="json")
        if isinstance(message, DuplicatesMessage):
            raise Refused("The transport in memory has no pictures to compare, and so finds no duplicates.")
        if isinstance(message, ThumbnailMessage):
            raise Refused("An index in memory has no files, so it makes no thumbnail.")
        assert isinstance(message, ReadMessage)  # noqa: S101 (there is no other kind)
        return self._read(message).model_dump(mode="json")

    def _many(self, message: SearchManyMessage, blobs: Mapping[str, bytes]) -> SearchManyReply:
        replies = []
        for query in message.queries:
            try:
                found, note = self._search(query, blobs)
            except Refused as error:
                replies.append(QueryReply(error=str(error)))
            else:
                replies.append(QueryReply(neighbours=found, note=note))
        return SearchManyReply(replies=replies, took_ms=0.0)

    def _search(self, query: SearchQuery, blobs: Mapping[str, bytes]) -> tuple[list[Neighbour], str | None]:
        own: set[str] = set()
        by: By = query.by if query.by in self._by else "embedding"
        vectors = [self._vector(example, blobs, own, by) for example in query.examples]
        vector = combine(vectors, [example.weight for example in query.examples])
        among = without(own, self._by[by], self._payloads) if query.exclude_self else self._by[by]
        found = neighbours(query, vector, among, self._payloads)
        return found, note_of(query, found, by)

    def _vector(self, example: SearchExample, blobs: Mapping[str, bytes], own: set[str], by: By) -> Sequence[float]:
        image = example.image
        if isinstance(image, ImageByVector):
            return self._checked(image.vector, by)
        if isinstance(image, ImageById):
            path = next((path for path in self._vectors if self._payloads[path]["id"] == image.id), None)
            if path is None:
                raise Refused(f"There is no image with the id {image.id!r} in the index.")
            own.add(path)
            return self._by[by][path]
        if isinstance(image, ImageByPath):
            path = validate_path(image.path)
            own.add(path)
            return self._known(path, by)
        blob = blobs[image.key] if isinstance(image, ImageByKey) else base64.b64decode(image.base64)
        content = example.sha256 or hashlib.sha256(blob).hexdigest()
        own |= {path for path in self._vectors if path == example.path or self._payloads[path]["sha256"] == content}
        return self._embed[by](blob, example.box or example.box_px)

    def _known(self, path: str, by: By) -> Sequence[float]:
        file = self._payloads.get(path)
        if file is None:
            raise Refused(f"{path!r} is neither a file here nor in the index.")
        if path not in self._vectors:
            raise Refused(f"{path!r} was rejected: {file['reason']}.")
        return self._by[by][path]

    def _checked(self, vector: list[float], by: By) -> list[float]:
        dimension = len(next(iter(self._by[by].values()), [0.0] * self._dimension))
        if len(vector) != dimension:
            raise Refused(f"The vector has {len(vector)} numbers, and those of the index have {dimension}.")
        return vector

    def _read(self, message: ReadMessage) -> CountsReply | FilesReply | SampleReply | VerdictsReply:
        ask = message.ask
        if isinstance(ask, ReadVerdicts):
            return self._verdicts.page(ask)
        if isinstance(ask, ReadCounts):
            return self.counts()
        if isinstance(ask, ReadKnown):
            return FilesReply(files=[_file(self._payloads[path]) for path in ask.paths if path in self._payloads])
        if isinstance(ask, ReadSample):
            return self._sample(ask)
        after = ask.after or ""
        wanted = [
            path
            for path, payload in sorted(self._payloads.items())
            if path > after
            and ask.status in {None, payload["status"]}
            and (ask.under is None or ask.under in payload["folders"])
        ]
        page = wanted[: ask.limit]
        return FilesReply(
            files=[_file(self._payloads[path]) for path in page], next=page[-1] if len(wanted) > len(page) else None
        )

    def _sample(self, ask: ReadSample) -> SampleReply:
        paths = [path for path in sorted(self._vectors) if ask.under in {None, *self._payloads[path]["folders"]}]

        def similarities(at: int) -> list[float]:
            return [sum(map(mul, self._vectors[paths[at]], self._vectors[path])) for path in paths]

        chosen = farthest_first(ask.count, 0, similarities) if paths else []
        return SampleReply(paths=[paths[at] for at in chosen], among=len(paths))

    def _digest(self, blob: bytes, box: Sequence[float] | None) -> list[float]:
        """A vector that only the same bytes have."""
        digest = hashlib.shake_256(blob + repr(box).encode()).digest(self._dimension)
        return [value - 127.5 for value in digest]


def _payload(path: str) -> dict[str, Any]:
    pure = PurePosixPath(validate_path(path))
    folders = [str(folder) for folder in reversed(pure.parents) if str(folder) != "."]
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, path)),
        "path": path,
        "folders": folders,
        "name": pure.name,
        "version": "",
        "size_bytes": 0,
        "mtime_ns": 0,
    }


def _file(payload: Mapping[str, Any]) -> KnownFile:
    return KnownFile(**{name: payload[name] for name in KnownFile.model_fields if name in payload})
