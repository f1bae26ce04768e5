"""What was acknowledged is there again, however the process ended."""

import threading
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException
from qdrant_client.models import Distance, PointStruct, VectorParams

from tests.support.edge import client_of, edge_process
from tests.support.waiting import wait_until

DIMENSION = 64
BATCH = 32


def create(client: QdrantClient, name: str) -> None:
    client.create_collection(name, vectors_config={"image": VectorParams(size=DIMENSION, distance=Distance.EUCLID)})


def batch(number: int) -> list[PointStruct]:
    first = number * BATCH
    return [
        PointStruct(id=n, vector={"image": [float(n)] * DIMENSION} if n % 4 else {}, payload={"n": n})
        for n in range(first, first + BATCH)
    ]


def is_deleted(number: int) -> bool:
    return number % 3 == 0


def is_edited(number: int) -> bool:
    return number % 5 == 1


def write_until_it_dies(url: str, acknowledged: list[int], enough: threading.Event) -> None:
    client = QdrantClient(url=url, check_compatibility=False)
    number = 0
    try:
        while True:
            client.upsert("photos", batch(number))
            if is_deleted(number):
                client.delete("photos", [point.id for point in batch(number)])
            elif is_edited(number):
                client.overwrite_payload("photos", {"seen": number}, [point.id for point in batch(number)])
            acknowledged.append(number)
            number += 1
            if number == 40:
                enough.set()
    except ApiException:
        enough.set()
    finally:
        client.close()


@pytest.mark.parametrize("flushed_between", [False, True], ids=["never flushed", "flushed on the way"])
def test_kill_9_in_the_middle_of_writing_loses_nothing_acknowledged(data: Path, *, flushed_between: bool) -> None:
    acknowledged: list[int] = []
    enough = threading.Event()
    if flushed_between:
        with edge_process(data) as server, client_of(server) as client:
            create(client, "photos")
            client.upsert("photos", batch(1000))
            client.set_payload("photos", {"late": True}, [1000 * BATCH])
            assert server.stop() == 0
    with edge_process(data) as server, client_of(server) as client:
        if not flushed_between:
            create(client, "photos")
        writer = threading.Thread(target=write_until_it_dies, args=(server.url, acknowledged, enough))
        writer.start()

        assert enough.wait(30)
        server.kill()
        writer.join(30)

    assert len(acknowledged) >= 40
    with edge_process(data) as server, client_of(server) as client:
        kept = {point.id: point for point in client.scroll("photos", limit=100_000, with_vectors=True)[0]}
        for number in acknowledged:
            for written in batch(number):
                if is_deleted(number):
                    assert written.id not in kept
                else:
                    assert kept[written.id].vector == written.vector
                    assert kept[written.id].payload == ({"seen": number} if is_edited(number) else written.payload)
        if flushed_between:
            assert kept[1000 * BATCH].payload == {"n": 1000 * BATCH, "late": True}
        client.upsert("photos", batch(2000))


def test_a_refused_write_in_the_log_does_not_stop_the_next_start(data: Path) -> None:
    """The engine logs an operation before it finds out that it cannot be done."""
    with edge_process(data) as server, client_of(server) as client:
        create(client, "photos")
        client.upsert("photos", batch(0))
        with pytest.raises(ApiException, match="No point with id 404"):
            client.set_payload("photos", {"late": True}, [404])
        client.upsert("photos", batch(1))
        server.kill()

    with edge_process(data) as server, client_of(server) as client:
        assert client.count("photos").count == 2 * BATCH


def come_and_go(url: str, rounds: threading.Semaphore) -> None:
    client = QdrantClient(url=url, check_compatibility=False)
    alias = models.CreateAlias(collection_name="passing", alias_name="current")
    try:
        while True:
            create(client, "passing")
            client.upsert("passing", batch(0))
            client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
            client.delete_collection("passing")
            rounds.release()
    except ApiException:
        rounds.release()
    finally:
        client.close()


def test_kill_9_while_collections_come_and_go_leaves_a_folder_that_opens(data: Path) -> None:
    """Whole collections only, and no shard that nobody knows of."""
    with edge_process(data) as server, client_of(server) as client:
        create(client, "staying")
        client.upsert("staying", batch(0))
    for _ in range(2):
        rounds = threading.Semaphore(0)
        with edge_process(data) as server:
            visitor = threading.Thread(target=come_and_go, args=(server.url, rounds))
            visitor.start()
            assert rounds.acquire(timeout=30)
            server.kill()
            visitor.join(30)

        with edge_process(data) as server, client_of(server) as client:
            assert client.count("staying").count == BATCH
            names = [listed.name for listed in client.get_collections().collections]
            assert len(list((data / "shards").iterdir())) == len(names)
            if "passing" in names:
                assert client.count("passing").count in {0, BATCH}
                client.delete_collection("passing")
            assert [found for found in client.get_aliases().aliases if found.collection_name != "passing"] == []


def test_writes_are_flushed_once_they_pause(data: Path) -> None:
    """The log is emptied, so that a start after kill -9 has nothing to replay."""
    with edge_process(data) as server, client_of(server) as client:
        create(client, "photos")
        log_begins = next((data / "shards").iterdir()) / "wal" / "first-index"
        before = log_begins.read_bytes()
        for number in range(3):
            client.upsert("photos", batch(number))
        assert log_begins.read_bytes() == before

        wait_until(lambda: log_begins.read_bytes() != before)
