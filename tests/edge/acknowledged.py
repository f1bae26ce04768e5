"""What a collection must hold: every write that was answered, done to plain values as well."""

import random
from collections.abc import Collection, Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from qdrant_client import QdrantClient, models
from qdrant_client.models import Distance, PointStruct, VectorParams

DIMENSION = 16
BATCH = 250


def ident(number: int) -> Any:
    """Every other id is a UUID."""
    return number if number % 2 else str(uuid5(NAMESPACE_URL, str(number)))


def embedding(number: int, salt: int = 0) -> list[float]:
    """Whole numbers, so that they come back as they went."""
    drawn = random.Random(f"{number}/{salt}")
    return [float(drawn.randint(-1000, 1000)) for _ in range(DIMENSION)]


def point(number: int, salt: int = 0) -> PointStruct:
    """Every seventh is a rejection, without a vector; `kind` groups them by ten."""
    payload = {
        "n": number,
        "salt": salt,
        "kind": f"kind {number // 10}",
        "mtime_ns": 1_700_000_000_000_000_001 + number,
    }
    return PointStruct(
        id=ident(number), vector={} if number % 7 == 0 else {"image": embedding(number, salt)}, payload=payload
    )


class Acknowledged:
    """Writes to the store, and then to itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: dict[Any, tuple[Any, Any]] = {}

    def create(self, client: QdrantClient) -> None:
        client.create_collection(
            self.name, vectors_config={"image": VectorParams(size=DIMENSION, distance=Distance.EUCLID)}
        )
        client.create_payload_index(self.name, "kind", models.PayloadSchemaType.KEYWORD)

    def upsert(self, client: QdrantClient, numbers: Iterable[int], salt: int = 0) -> None:
        points = [point(number, salt) for number in numbers]
        for first in range(0, len(points), BATCH):
            batch = points[first : first + BATCH]
            client.upsert(self.name, batch)
            for written in batch:
                self.points[written.id] = (written.vector, dict(written.payload or {}))

    def delete(self, client: QdrantClient, numbers: Iterable[int]) -> None:
        ids = [ident(number) for number in numbers]
        client.delete(self.name, ids)
        for point_id in ids:
            self.points.pop(point_id, None)

    def delete_kind(self, client: QdrantClient, kind: int) -> None:
        """By a filter."""
        client.delete(self.name, _of_kind(kind))
        self.points = {key: value for key, value in self.points.items() if value[1].get("kind") != f"kind {kind}"}

    def edit(self, client: QdrantClient, numbers: Iterable[int], **payload: object) -> None:
        ids = [ident(number) for number in numbers]
        client.set_payload(self.name, payload, ids)
        for point_id in ids:
            self.points[point_id][1].update(payload)

    def edit_kind(self, client: QdrantClient, kind: int, payload: dict[str, Any]) -> None:
        """By a filter that the edit itself may leave."""
        client.set_payload(self.name, payload, _of_kind(kind))
        for _, stored in self.points.values():
            if stored.get("kind") == f"kind {kind}":
                stored.update(payload)

    def overwrite(self, client: QdrantClient, numbers: Iterable[int], **payload: object) -> None:
        ids = [ident(number) for number in numbers]
        client.overwrite_payload(self.name, payload, ids)
        for point_id in ids:
            self.points[point_id] = (self.points[point_id][0], dict(payload))

    def take_out(self, client: QdrantClient, numbers: Iterable[int], key: str) -> None:
        ids = [ident(number) for number in numbers]
        client.delete_payload(self.name, [key], ids)
        for point_id in ids:
            self.points[point_id][1].pop(key, None)

    def clear(self, client: QdrantClient, numbers: Iterable[int]) -> None:
        ids = [ident(number) for number in numbers]
        client.clear_payload(self.name, models.PointIdsList(points=ids))
        for point_id in ids:
            self.points[point_id] = (self.points[point_id][0], {})

    def check(self, client: QdrantClient, except_for: Collection[Any] = ()) -> None:
        """Asserts that the store holds these points and no others, each once; some may be in any state."""
        found: dict[Any, tuple[Any, Any]] = {}
        offset = None
        while True:
            records, offset = client.scroll(self.name, limit=1000, offset=offset, with_vectors=True)
            for record in records:
                assert record.id not in found
                found[record.id] = (record.vector, record.payload)
            if offset is None:
                break

        assert client.count(self.name).count == len(found)
        expected = {key: value for key, value in self.points.items() if key not in except_for}
        found = {key: value for key, value in found.items() if key not in except_for}
        assert found.keys() == expected.keys()
        assert found == expected


def _of_kind(kind: int) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value=f"kind {kind}"))])
