"""Writing points: after the same writes the edge server holds what local mode holds, and answers them alike."""

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.models import Batch, FieldCondition, Filter, MatchValue, PointStruct

from tests.edge.library import photo, photos, rejection, rejections, vector
from tests.edge.pair import Call, Pair, comparable

REJECTED = rejection(1)
JPEG = Filter(must=[FieldCondition(key="format", match=MatchValue(value="JPEG"))])


def everything(on: QdrantClient, name: str) -> list[models.Record]:
    return on.scroll(name, limit=100, with_vectors=True)[0]


@pytest.fixture
def filled(cosine: Pair) -> Pair:
    cosine.both(lambda on, name: on.upsert(name, photos() + rejections()))
    return cosine


WRITES: dict[str, Call] = {
    "a new point": lambda on, name: on.upsert(name, [photo(20)]),
    "the same point again": lambda on, name: on.upsert(name, [photo(1)]),
    "a point that is replaced whole": lambda on, name: on.upsert(
        name, [PointStruct(id=1, vector={"image": vector(50)}, payload={"status": "indexed"})]
    ),
    "a point that loses its vector": lambda on, name: on.upsert(name, [PointStruct(id=1, vector={}, payload={"a": 1})]),
    "a point that gains a vector": lambda on, name: on.upsert(
        name, [PointStruct(id=REJECTED.id, vector={"image": vector(51)}, payload={"a": 1})]
    ),
    "a point without payload": lambda on, name: on.upsert(name, [PointStruct(id=1, vector={"image": vector(52)})]),
    "a zero vector": lambda on, name: on.upsert(name, [PointStruct(id=1, vector={"image": [0.0] * 4})]),
    "two versions at once": lambda on, name: on.upsert(
        name, [PointStruct(id=77, vector={}, payload={"n": n}) for n in (1, 2)]
    ),
    "the largest id": lambda on, name: on.upsert(name, [PointStruct(id=2**64 - 1, vector={})]),
    "any payload": lambda on, name: on.upsert(
        name,
        [
            PointStruct(
                id=78,
                vector={},
                payload={
                    "ü": "名 \x00 \N{WASTEBASKET}", "large": 2**53 + 1, "small": -1.5e-7,
                    "deep": [[{"a": [None, True]}], {}, []], "": "empty key",
                },
            )
        ],
    ),
    "columns": lambda on, name: on.upsert(
        name,
        Batch(ids=[30, 31], vectors={"image": [vector(30), vector(31)]}, payloads=[{"a": 1}, {"b": 2}]),
    ),
    "columns without payloads": lambda on, name: on.upsert(name, Batch(ids=[1], vectors={"image": [vector(30)]})),
    "deleted by id": lambda on, name: on.delete(name, [1, 2, 404, REJECTED.id]),
    "deleted by filter": lambda on, name: on.delete(name, JPEG),
    "payload added": lambda on, name: on.set_payload(name, {"status": "seen", "new": [1]}, [1, 2]),
    "payload added inside": lambda on, name: on.set_payload(name, {"make": "B"}, [1], key="camera"),
    "payload added by filter": lambda on, name: on.set_payload(name, {"seen": True}, JPEG),
    "payload replaced": lambda on, name: on.overwrite_payload(name, {"only": "this"}, [1, REJECTED.id]),
    "payload replaced by filter": lambda on, name: on.overwrite_payload(name, {"only": "this"}, JPEG),
    "payload keys deleted": lambda on, name: on.delete_payload(name, ["status", "camera.make", "nowhere"], [1, 2]),
    "payload keys deleted by filter": lambda on, name: on.delete_payload(name, ["status"], JPEG),
    "payload cleared": lambda on, name: on.clear_payload(name, [1]),
    "payload cleared by filter": lambda on, name: on.clear_payload(name, JPEG),
    "several operations in their order": lambda on, name: on.batch_update_points(
        name,
        [
            models.DeleteOperation(delete=models.PointIdsList(points=[1])),
            models.UpsertOperation(upsert=models.PointsList(points=[photo(40), photo(1)])),
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"a": 1}, points=[40])),
            models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(payload={"b": 2}, filter=JPEG)),
            models.DeletePayloadOperation(delete_payload=models.DeletePayload(keys=["path"], points=[2])),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[3])),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_leaves_the_same_points_also_when_it_is_sent_twice(filled: Pair, write: Call) -> None:
    filled.agree(write)

    once = filled.agree(everything)
    filled.agree(lambda on, name: on.query_points(name, vector(100), using="image", limit=20))

    write(filled.edge, filled.name)

    assert comparable(everything(filled.edge, filled.name)) == once


def test_a_write_is_there_also_for_who_does_not_wait(filled: Pair) -> None:
    result = filled.edge.upsert(filled.name, [photo(20)], wait=False)

    assert result.status == models.UpdateStatus.ACKNOWLEDGED
    assert filled.edge.retrieve(filled.name, [20])[0].id == 20


def test_an_upsert_with_one_bad_point_writes_none_of_them(filled: Pair) -> None:
    """The engine alone would keep the points before the bad one."""
    before = everything(filled.edge, filled.name)

    with pytest.raises(Exception, match="expected dim: 4, got 3"):
        filled.edge.upsert(filled.name, [photo(20), PointStruct(id=21, vector={"image": [1.0, 2.0, 3.0]})])

    assert everything(filled.edge, filled.name) == before


def test_a_batch_with_one_bad_operation_does_none_of_them(filled: Pair) -> None:
    before = everything(filled.edge, filled.name)
    operations: list[models.UpdateOperation] = [
        models.DeleteOperation(delete=models.PointIdsList(points=[1])),
        models.UpsertOperation(upsert=models.PointsList(points=[PointStruct(id=1, vector={"nose": [1.0]})])),
    ]

    with pytest.raises(Exception, match="Not existing vector name error: nose"):
        filled.edge.batch_update_points(filled.name, operations)

    assert everything(filled.edge, filled.name) == before
