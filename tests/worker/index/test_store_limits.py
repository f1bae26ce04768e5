"""What a store takes at once, and what it refuses: the real engine behind a proxy with the server's own answers."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Filter

from lookalike.library.reader import LibraryReader
from lookalike.library.version import folder_version
from lookalike.messages import SyncMessage, SyncReply
from models.contract import read_card
from tests.support.edge import edge_process
from tests.support.faulty.between import Answer, Request
from tests.support.faulty.misbehaving import Faults, misbehaving, refusal
from tests.support.pictures import draw
from tests.worker.conftest import MAX_BYTES, Counts
from worker.errors import CollectionMissing, StoreRefused, StoreUnavailable, TooMany
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import rejected_payload
from worker.index.points import PointWrite, Vectors
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image
from worker.inference.embedder import Embedder
from worker.retry_budget import RetryBudget
from worker.syncing.sync import Sync

NAMES = [f"{number:02}.png" for number in range(20)]
VECTORS: Vectors = {"embedding": [0.123456789] * 24}


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[tuple[QdrantClient, str, Faults]]:
    faults = Faults()
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge, misbehaving(edge.url, faults) as url:
        client = QdrantClient(url=url, check_compatibility=False)
        name = ensure(client, CollectionSpec("tests", read_card(model), "cosine", library_id="the-library")).name
        yield client, name, faults
        client.close()


@pytest.fixture
def faults(between: tuple[QdrantClient, str, Faults]) -> Iterator[Faults]:
    client, name, faults = between
    faults.passed.clear()
    faults.answered = 0
    yield faults
    faults.rule = lambda _: None
    client.delete(name, points_selector=Filter(), wait=True)


@pytest.fixture
def strict_index(between: tuple[QdrantClient, str, Faults], faults: Faults) -> QdrantIndex:
    del faults
    return QdrantIndex(between[0], between[1])


@pytest.fixture
def strict_sync(strict_index: QdrantIndex, root: Path, embedder: Embedder, counts: Counts) -> Sync:
    return Sync(
        library=LibraryReader(root, max_bytes=MAX_BYTES),
        library_id="the-library",
        generation="the-generation",
        index=strict_index,
        embedder=embedder,
        decode=lambda blob: decode_image(blob, embedder.card, max_pixels=10_000),
        count_done=counts.add,
    )


def strict_mode(most: int) -> Callable[[Request], Answer | None]:
    """Refuses what asks for more, as Qdrant's strict mode with `max_query_limit` and `upsert_max_batchsize` does."""

    def rule(request: Request) -> Answer | None:
        if request.method == "GET" or not request.body or "/points" not in request.path:
            return None
        asked = json.loads(request.body)
        batch = asked.get("batch", {}).get("ids", [])
        number = asked.get("limit") or len(asked.get("ids") or asked.get("points") or batch)
        if number <= most:
            return None
        return refusal(400, f'Limit exceeded {number} > {most} for "limit". Help: Reduce the "limit" parameter.')

    return rule


def test_a_server_that_gives_fewer_at_once_is_asked_for_fewer(
    strict_sync: Sync, strict_index: QdrantIndex, root: Path, faults: Faults
) -> None:
    for number, name in enumerate(NAMES):
        draw(root / name, number)
    faults.rule = strict_mode(7)

    assert strict_sync.sync_paths(SyncMessage(paths=NAMES)) == SyncReply(embedded=20)
    assert strict_sync.sync_paths(SyncMessage(paths=NAMES)) == SyncReply(unchanged=20)
    assert strict_index.get_files(NAMES).keys() == set(NAMES)
    found, after = set(), None
    while True:
        page = strict_index.page(after=after, limit=1000, status=None, under=None)
        found |= {file.path for file in page.files}
        if (after := page.next) is None:
            break
    assert found == set(NAMES)
    for name in NAMES:
        (root / name).unlink()
    assert strict_sync.sync_paths(SyncMessage(gone=NAMES, library="the-library")) == SyncReply(deleted=20)


def test_a_server_that_gives_fewer_than_a_search_wants_is_told_in_its_words(
    strict_index: QdrantIndex, faults: Faults
) -> None:
    faults.rule = strict_mode(7)

    with pytest.raises(TooMany, match=r'400: Limit exceeded 50 > 7 for "limit"'):
        strict_index.find_nearest([1.0] * 24, 50)


def test_a_server_that_gives_nothing_at_all_ends_it_in_its_words(strict_index: QdrantIndex, faults: Faults) -> None:
    faults.rule = strict_mode(0)

    with pytest.raises(TooMany, match="Limit exceeded 1 > 0"):
        strict_index.page(after=None, limit=1000, status=None, under=None)
    with pytest.raises(TooMany, match="Limit exceeded 1 > 0"):
        strict_index.get_files(NAMES)


@pytest.mark.parametrize("answer", [Answer(413, b"<html>too large</html>"), None])
def test_writes_are_cut_by_bytes_before_they_are_sent_and_further_on_413(
    between: tuple[QdrantClient, str, Faults], faults: Faults, answer: Answer | None
) -> None:
    index = QdrantIndex(between[0], between[1], request_bytes=8_000)
    most = 3_000 if answer else 8_000
    faults.rule = lambda request: answer if len(request.body) > most else None

    assert index.write([write(name) for name in NAMES]) == []

    sizes = [len(request.body) for request in faults.passed if request.is_write]
    assert len(sizes) > 1
    assert max(sizes) <= most
    assert index.get_files(NAMES).keys() == set(NAMES)


def test_a_point_that_is_too_large_alone_is_rejected_and_the_others_are_indexed(
    strict_sync: Sync, strict_index: QdrantIndex, root: Path, faults: Faults
) -> None:
    paths = [draw(root / "a.png", 1).name, draw(root / ("deep/" * 40 + "b.png"), 2).relative_to(root).as_posix()]
    faults.rule = lambda request: (
        refusal(413, "larger than allowed") if b"image" in request.body and b"deep" in request.body else None
    )

    assert strict_sync.sync_paths(SyncMessage(paths=paths)) == SyncReply(embedded=1, rejected=1)
    assert strict_index.get_files(paths)[paths[1]].reason == (
        "Qdrant takes fewer bytes in one request (413: larger than allowed)"
    )


def test_what_the_server_refuses_is_rejected_in_its_words_and_each_scan_tries_it_again(
    strict_sync: Sync, strict_index: QdrantIndex, root: Path, faults: Faults, counts: Counts
) -> None:
    for number, name in enumerate(NAMES):
        draw(root / name, number)
    faults.rule = lambda request: (
        refusal(422, "no such thing") if b"13.png" in request.body and b"batch" in request.body else None
    )

    assert strict_sync.sync_paths(SyncMessage(paths=NAMES)) == SyncReply(embedded=19, rejected=1)
    # All were embedded once, whatever the parts that they were sent in.
    assert (counts.embedded, counts.finished) == (19, 20)
    file = strict_index.get_files(["13.png"])["13.png"]
    assert (file.status, file.mtime_ns) == ("rejected", -1)
    assert file.reason == "Qdrant refuses what it was sent (422: no such thing)"

    faults.rule = lambda _: None
    assert strict_sync.sync_paths(SyncMessage(paths=NAMES)) == SyncReply(embedded=1, unchanged=19)


def test_a_store_that_refuses_everything_is_not_asked_for_each_and_nothing_is_rejected(
    strict_sync: Sync, strict_index: QdrantIndex, root: Path, faults: Faults
) -> None:
    for number, name in enumerate(NAMES):
        draw(root / name, number)
    faults.rule = lambda request: refusal(400, "Wrong input: expected dim: 7") if request.is_write else None

    with pytest.raises(StoreRefused, match="expected dim: 7"):
        strict_sync.sync_paths(SyncMessage(paths=NAMES))
    assert faults.answered < 12
    assert strict_index.get_files(NAMES) == {}


def test_nothing_is_written_in_parts_for_a_store_that_is_away(strict_sync: Sync, root: Path, faults: Faults) -> None:
    for number, name in enumerate(NAMES):
        draw(root / name, number)
    faults.rule = lambda request: refusal(429, "slower", retry_after="7") if request.is_write else None

    with pytest.raises(StoreUnavailable, match="429: slower") as caught:
        strict_sync.sync_paths(SyncMessage(paths=NAMES))
    assert (caught.value.retry_after_s, faults.answered) == (7, 1)


def test_a_batch_gets_through_a_rate_limit_that_grants_less_than_it_at_once(
    strict_sync: Sync, strict_index: QdrantIndex, root: Path, faults: Faults, counts: Counts
) -> None:
    """As Qdrant's write limit: so many points a minute, and never more in one request."""
    for number, name in enumerate(NAMES):
        draw(root / name, number)
    tokens, sent, waits = 6, 0, 0

    def limit(request: Request) -> Answer | None:
        nonlocal tokens, sent
        if not request.is_write:
            return None
        asked = json.loads(request.body)
        points = len(asked.get("points") or asked["batch"]["ids"])
        if points > 6:
            return refusal(429, "request larger than rate limiter capacity, please try to split your request")
        if points > tokens:
            return refusal(429, "Write rate limit exceeded: Operation requires 5 tokens", retry_after="30")
        tokens, sent = tokens - points, sent + points
        return None

    def sleep(seconds: float) -> None:
        nonlocal tokens, waits
        assert seconds == 30
        tokens, waits = 6, waits + 1

    faults.rule = limit
    patience = RetryBudget(0, asked_for_s=300, sleep=sleep)
    limited = dataclasses.replace(strict_sync, retry_while_unavailable=patience.retry_while_unavailable)

    assert limited.sync_paths(SyncMessage(paths=NAMES)) == SyncReply(embedded=20)
    # No point twice, and no image.
    assert (sent, waits, counts.embedded) == (20, 3, 20)
    for name in NAMES:
        (root / name).unlink()
    assert limited.sync_paths(SyncMessage(gone=NAMES, library="the-library")) == SyncReply(deleted=20)
    assert strict_index.get_files(NAMES) == {}


def test_a_collection_that_is_gone_is_named(between: tuple[QdrantClient, str, Faults]) -> None:
    with pytest.raises(CollectionMissing, match="404: Not found: Collection `elsewhere` doesn't exist!"):
        QdrantIndex(between[0], "elsewhere").count("indexed")


def test_both_vectors_of_a_point_count_for_the_bytes_of_a_request(
    between: tuple[QdrantClient, str, Faults], model: Path
) -> None:
    client, _, faults = between
    sent: list[int] = []
    faults.rule = lambda request: sent.append(len(request.body)) if request.path.endswith("/points") else None
    name = ensure(client, CollectionSpec("both", read_card(model), "cosine", library_id="the-library")).name
    both = PointWrite({}, {**VECTORS, "copy": [-0.1234567890123456] * 12})
    writes = [dataclasses.replace(both, payload=write(name).payload) for name in NAMES]

    assert QdrantIndex(client, name, vectors=("embedding", "copy"), request_bytes=4000).write(writes) == []
    assert len(sent) > 1
    assert max(sent) <= 4000


def write(path: str) -> PointWrite:
    payload = rejected_payload(path, folder_version(1, 1, 1), "none", "2026-01-01T00:00:00+00:00")
    return PointWrite(payload | {"status": "indexed"}, VECTORS)


def test_the_engines_own_limit_of_bytes_is_learned(tmp_path: Path, model: Path) -> None:
    with edge_process(tmp_path / "data", None, "--max-body-mib", "1") as edge:
        client = QdrantClient(url=edge.url, check_compatibility=False)
        name = ensure(client, CollectionSpec("tests", read_card(model), "cosine", library_id="the-library")).name
        writes = [PointWrite({**write(name).payload, "reason": "x" * 300_000}, VECTORS) for name in NAMES[:8]]

        assert QdrantIndex(client, name).write(writes) == []
        assert QdrantIndex(client, name).count("indexed") == 8
        client.close()
