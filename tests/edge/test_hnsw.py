"""A collection that has grown gets an index beside its searches; nothing is lost, found twice or missed meanwhile."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from qdrant_client import QdrantClient, models

from edge.hnsw import is_due, retry_delay_s
from tests.edge.acknowledged import Acknowledged, embedding, ident
from tests.edge.steps import ends, held_while_optimizing, hosts, is_indexed, optimizer, shards
from tests.support.edge import EdgeProcess, client_of, edge_process
from tests.support.waiting import wait_until

ABOVE = ("--hnsw-threshold", "1000")
POINTS = 2400

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")


@pytest.fixture
def server(data: Path) -> Iterator[EdgeProcess]:
    with edge_process(data, None, *ABOVE) as started:
        yield started


@pytest.fixture
def client(server: EdgeProcess) -> Iterator[QdrantClient]:
    with client_of(server) as connected:
        yield connected


@pytest.fixture
def photos() -> Acknowledged:
    return Acknowledged("photos")


def fill(client: QdrantClient, photos: Acknowledged, points: int = POINTS) -> None:
    photos.create(client)
    photos.upsert(client, range(points))


@pytest.mark.parametrize(
    ("changed", "vectors", "at_rest", "growing"),
    [
        (20_000, 20_000, False, False),
        (20_001, 20_001, True, True),
        (30_000, 19_000, False, False),
        (21_000, 300_000, False, False),
        (31_000, 300_000, True, False),
        (151_000, 300_000, True, True),
    ],
)
def test_an_index_is_due_when_much_lies_outside_of_it(
    changed: int, vectors: int, *, at_rest: bool, growing: bool
) -> None:
    assert is_due(changed, vectors, threshold=20_000, is_calm=True) is at_rest
    assert is_due(changed, vectors, threshold=20_000, is_calm=False) is growing


def test_a_build_that_fails_is_tried_again_ever_more_rarely() -> None:
    assert [retry_delay_s(failures) for failures in (1, 2, 3, 20)] == [30.0, 60.0, 120.0, 3600.0]


def test_a_collection_that_has_grown_gets_an_index(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)
    before = client.get_collection("photos")
    small = Acknowledged("small")
    small.create(client)
    small.upsert(client, range(900))

    with held_while_optimizing(server):
        building = client.get_collection("photos")
    wait_until(lambda: is_indexed(client, "photos"), told=server.log.read_text)
    wait_until(lambda: len(shards(data)) == 2)

    assert before.indexed_vectors_count == 0
    assert building.status == "yellow"
    assert building.optimizer_status == "ok"
    assert client.get_collection("photos").indexed_vectors_count == sum(number % 7 != 0 for number in range(POINTS))
    assert client.get_collection("photos").payload_schema.keys() == {"kind"}
    assert client.get_collection("small").indexed_vectors_count == 0
    said = server.log.read_text()
    assert "indexing begins collection=photos" in said
    assert "indexing ends collection=photos took_s=" in said
    photos.check(client)
    small.check(client)


def test_it_is_built_again_when_as_much_has_come(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)
    wait_until(lambda: ends(server) == 1, told=server.log.read_text)

    photos.upsert(client, range(POINTS - 500, POINTS), salt=1)
    photos.upsert(client, range(POINTS, POINTS + 600))
    wait_until(lambda: ends(server) == 2, told=server.log.read_text)

    photos.check(client)
    assert len(hosts(server)) == 1
    wait_until(lambda: len(shards(data)) == 1)
    assert client.get_collection("photos").segments_count == 2


def test_two_collections_are_indexed_one_after_the_other(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    videos = Acknowledged("videos")
    fill(client, photos)
    fill(client, videos)

    wait_until(lambda: ends(server) == 2, told=server.log.read_text)

    said = re.findall("indexing (begins|ends)", server.log.read_text())
    assert said == ["begins", "ends", "begins", "ends"]
    wait_until(lambda: len(shards(data)) == 2)
    for each in (photos, videos):
        each.check(client)
        each.upsert(client, range(5000, 5100))
        each.check(client)


def change_everything(client: QdrantClient, photos: Acknowledged) -> None:
    """Every kind of write that there is, onto points that the copy has and onto others."""
    photos.upsert(client, range(POINTS, POINTS + 200))
    photos.upsert(client, range(100, 200), salt=1)
    photos.delete(client, [*range(200, 260), POINTS + 1, 99_999])
    photos.upsert(client, range(210, 215), salt=2)
    photos.delete_kind(client, 30)
    photos.edit(client, range(400, 450), seen=True)
    photos.edit_kind(client, 46, {"kind": "kind other"})
    photos.overwrite(client, range(500, 520), only="this")
    photos.take_out(client, range(600, 620), "mtime_ns")
    photos.clear(client, range(700, 710))
    # From a vector to none, and the other way round.
    client.upsert("photos", [models.PointStruct(id=ident(801), vector={}, payload={"status": "rejected"})])
    photos.points[ident(801)] = ({}, {"status": "rejected"})
    client.upsert("photos", [models.PointStruct(id=ident(805), vector={"image": embedding(805)}, payload={})])
    photos.points[ident(805)] = ({"image": embedding(805)}, {})


def test_what_changes_while_the_index_is_built_is_in_it(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)

    with held_while_optimizing(server):
        change_everything(client, photos)
        client.create_payload_index("photos", "n", models.PayloadSchemaType.INTEGER)
        client.delete_payload_index("photos", "kind")
        photos.check(client)
    wait_until(lambda: ends(server) == 1, told=server.log.read_text)

    photos.check(client)
    assert client.get_collection("photos").payload_schema.keys() == {"n"}
    server.kill()
    with edge_process(data, None, *ABOVE) as again, client_of(again) as client_again:
        photos.check(client_again)
        assert client_again.get_collection("photos").indexed_vectors_count


def test_cosine_vectors_are_the_same_before_and_after(server: EdgeProcess, client: QdrantClient) -> None:
    vectors = models.VectorParams(size=16, distance=models.Distance.COSINE)
    client.create_collection("photos", vectors_config={"image": vectors})
    points = [models.PointStruct(id=number, vector={"image": embedding(number)}) for number in range(POINTS)]
    client.upsert("photos", points)

    with held_while_optimizing(server):
        client.upsert("photos", points[:300])
        before = client.scroll("photos", limit=POINTS, with_vectors=True)[0]
    wait_until(lambda: ends(server) == 1, told=server.log.read_text)

    assert client.scroll("photos", limit=POINTS, with_vectors=True)[0] == before


class Searcher(threading.Thread):
    """Looks for points that never change, one after the other, until it is told to stop."""

    def __init__(self, url: str, numbers: list[int]) -> None:
        super().__init__()
        self._client = QdrantClient(url=url, check_compatibility=False)
        self._numbers = numbers
        self.enough = threading.Event()
        self.wrong: list[object] = []
        self.searches = 0

    def run(self) -> None:
        while not self.enough.is_set():
            number = self._numbers[self.searches % len(self._numbers)]
            found = self._client.query_points("photos", embedding(number), using="image", limit=20).points
            ids = [point.id for point in found]
            if ids[0] != ident(number) or len(set(ids)) != 20:
                self.wrong.append((number, ids))
            self.searches += 1
        self._client.close()


def test_searches_miss_nothing_and_double_nothing_while_others_write(
    server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)
    searcher = Searcher(server.url, [number for number in range(1000, 1100) if number % 7])
    searcher.start()

    round_ = 0
    while ends(server) < 1:
        round_ += 1
        first = POINTS + 60 * round_
        photos.upsert(client, range(first, first + 60))
        photos.upsert(client, range(60), salt=round_)
        photos.edit(client, range(first, first + 30), round=round_)
        photos.delete(client, range(first + 30, first + 50))
        assert round_ < 2000, server.log.read_text()
    searcher.enough.set()
    searcher.join(30)

    assert searcher.wrong == []
    assert searcher.searches > 100
    photos.check(client)


def test_a_collection_that_is_deleted_meanwhile_is_let_go(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)

    with held_while_optimizing(server):
        client.delete_collection("photos")
        again = Acknowledged("photos")
        again.create(client)
        again.upsert(client, range(50), salt=3)
        wait_until(lambda: optimizer(server) is None, told=server.log.read_text)
    wait_until(lambda: len(shards(data)) == 1)

    again.check(client)
    assert client.get_collection("photos").indexed_vectors_count == 0
    assert "indexing failed" not in server.log.read_text()
    again.upsert(client, range(POINTS))
    wait_until(lambda: ends(server) == 1, told=server.log.read_text)
    again.check(client)


def test_a_stop_in_the_middle_ends_everything_in_time(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos)

    with held_while_optimizing(server) as pid:
        children = [pid, *hosts(server)]
        assert server.stop() == 0

    assert not any(psutil.pid_exists(child) for child in children)
    assert len(shards(data)) == 1
    assert "Traceback" not in server.log.read_text()
    with edge_process(data, None, *ABOVE) as again, client_of(again) as client_again:
        photos.check(client_again)
        wait_until(lambda: is_indexed(client_again, "photos"), told=again.log.read_text)
        photos.check(client_again)


def test_a_host_that_dies_takes_the_server_with_it_to_be_started_again(
    data: Path, server: EdgeProcess, client: QdrantClient, photos: Acknowledged
) -> None:
    fill(client, photos, 500)

    os.kill(hosts(server)[0], signal.SIGKILL)

    assert server.process.wait(10) == 3
    assert "a host died" in server.log.read_text()
    with edge_process(data, None, *ABOVE) as again, client_of(again) as client_again:
        photos.check(client_again)
