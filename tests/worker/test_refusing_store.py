"""A real worker before a store that refuses: nothing is lost or rejected for the store's sake, all is told in words."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from redis import Redis

from lookalike import Client, Refused, Unreachable
from lookalike.broker.app import celery_app, redis_of
from lookalike.broker.index_state import IndexState
from lookalike.broker.telemetry import Telemetry
from lookalike.messages import SyncMessage, SyncReply
from lookalike.redis_keys import SYNC
from lookalike.settings import Settings, read_settings
from tests.support.edge import edge_process
from tests.support.faulty.between import Answer, Request
from tests.support.faulty.misbehaving import Faults, each, misbehaving, refusal
from tests.support.pictures import draw
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process

# A model that fails over white pictures and over black ones as nobody foresaw.
SITE = """
import os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy
import onnxruntime
run = onnxruntime.InferenceSession.run
def run_or_fail(session, names, feeds, *more):
    for image in next(iter(feeds.values())):
        if image.min() == 255:
            raise MemoryError
        if image.max() == 0:
            raise UnicodeEncodeError("utf-8", "\\udcff", 0, 1, "no such letter as \\udcff")
    return run(session, names, feeds, *more)
onnxruntime.InferenceSession.run = run_or_fail
"""


@dataclass
class System:
    """A worker, its broker, and its store behind a proxy."""

    root: Path
    client: Client
    settings: Settings
    faults: Faults
    worker: WorkerProcess
    telemetry: Telemetry

    def draw(self, folder: str, number: int) -> list[str]:
        """Draws so many pictures; their paths."""
        first = zlib.crc32(folder.encode())
        seeds = range(first, first + number)
        return [draw(self.root / folder / f"{seed}.png", seed).relative_to(self.root).as_posix() for seed in seeds]

    def send(self, paths: list[str]) -> None:
        """Asks for a sync and does not wait."""
        message = SyncMessage(paths=paths).model_dump(mode="json")
        celery_app(self.settings).send_task(SYNC, args=[message], queue=self.settings.keys.ingest, ignore_result=True)

    def is_at_rest(self) -> bool:
        return not self.telemetry.waiting() and not self.telemetry.in_progress()

    def known(self, paths: list[str]) -> dict[str, str | None]:
        """Paths that the index knows: None if indexed, else the reason."""
        return {path: file.reason for path, file in self.client.known(paths).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[System]:
    folder, faults = tmp_path_factory.mktemp("system"), Faults()
    (folder / "library").mkdir()
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    with (
        valkey_process(folder) as redis_url,
        edge_process(folder / "store") as edge,
        misbehaving(edge.url, faults) as qdrant_url,
    ):
        environment = worker_environment(
            REDIS_URL=redis_url,
            QDRANT_URL=qdrant_url,
            LOOKALIKE_LIBRARY=folder / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_TRY_AGAIN_S="0.1",
            LOOKALIKE_SEARCH_TIMEOUT_S="3",
            PYTHONPATH=folder / "site",
        )
        queues = "lookalike:ingest,lookalike:rescan,lookalike:search"
        with worker_process(folder / "worker.log", environment, queues=queues) as worker:
            settings = read_settings(redis_url=redis_url, library=folder / "library", model=str(model))
            telemetry = Telemetry(Redis.from_url(redis_url), settings.keys)
            yield System(folder / "library", Client(settings), settings, faults, worker, telemetry)


@pytest.fixture
def system(whole: System) -> Iterator[System]:
    whole.faults.answered = 0
    yield whole
    whole.faults.rule = lambda _: None
    wait_until(whole.is_at_rest, 60)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(429, "Rate limiting exceeded: Write rate limit exceeded", retry_after="1"),
        refusal(429, "Rate limiting exceeded: Write rate limit exceeded"),
        refusal(408, "Timeout: the write took too long"),
        refusal(503, "The replica is dead"),
        Answer(502, b"<html>Bad Gateway</html>"),
    ],
    ids=lambda answer: f"{answer.status}{'-asks' if 'retry-after' in answer.headers else ''}",
)
def test_with_one_write_in_two_refused_all_are_indexed_once(
    system: System, request: pytest.FixtureRequest, answer: Answer
) -> None:
    paths = system.draw(request.node.callspec.id, 12)
    system.faults.rule = each(2, answer)
    embedded = system.telemetry.embedded_total()
    for start in range(0, len(paths), 4):
        system.send(paths[start : start + 4])

    wait_until(lambda: system.is_at_rest() and system.known(paths).keys() == set(paths), 60)

    assert system.known(paths) == dict.fromkeys(paths)
    assert system.faults.answered >= 3
    assert system.telemetry.embedded_total() == embedded + 12
    assert "split" not in system.worker.said()


@pytest.mark.parametrize(("colour", "told"), [("white", "MemoryError"), ("black", "UnicodeEncodeError")])
def test_a_path_over_which_we_fail_is_singled_out_and_each_scan_tries_it_again(
    system: System, colour: str, told: str
) -> None:
    paths, poison = system.draw(colour, 4), f"{colour}.png"
    Image.new("RGB", (40, 40), colour).save(system.root / poison)

    system.send([*paths[:2], poison, *paths[2:]])

    wait_until(lambda: system.is_at_rest() and len(system.known([*paths, poison])) == 5, 60)
    known = system.known([*paths, poison])
    assert {path: known[path] for path in paths} == dict.fromkeys(paths)
    assert str(known[poison]).startswith(f"lookalike failed over it ({told}")
    assert system.client.known([poison])[poison].mtime_ns == -1
    # The producer is asked for a scan soon: without it the next one may be a day away.
    with redis_of(system.settings) as redis:
        assert IndexState(redis, system.settings.keys).read().why_undone.startswith("lookalike failed over it")
    assert system.worker.process.poll() is None


def test_a_store_that_refuses_even_the_rejection_is_told_in_its_words_and_a_scan_finds_the_paths(
    system: System,
) -> None:
    paths = system.draw("refused", 4)
    words = "Wrong input: Vector dimension error: expected dim: 7, got 24"
    system.faults.rule = lambda request: refusal(400, words) if request.is_write else None

    with pytest.raises(Refused, match=words):
        system.client.sync(paths).result(timeout_s=30)
    wait_until(system.is_at_rest)
    assert system.known(paths) == {}
    assert words in (system.client.status().warning or "")
    with redis_of(system.settings) as redis:
        assert words in IndexState(redis, system.settings.keys).read().why_undone

    system.faults.rule = lambda _: None
    assert system.client.sync(paths).result(timeout_s=30) == SyncReply(embedded=4)
    assert system.client.status().warning is None


def test_what_a_store_refuses_for_a_while_is_not_rejected(system: System) -> None:
    paths = system.draw("upgraded", 4)
    system.faults.rule = lambda request: (
        refusal(422, "unknown field") if request.is_write and system.faults.answered < 6 else None
    )

    assert system.client.sync(paths).result(timeout_s=30) == SyncReply(embedded=4)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal(500, "Service internal error: No space left on device"), "500: Service internal error: No space left"),
        (Answer(401, b"Invalid API key or JWT"), "QDRANT_API_KEY is not accepted for this: Qdrant says 401: Invalid"),
        (refusal(403, "Forbidden: Global manage access is required"), "QDRANT_API_KEY may read only"),
    ],
)
def test_what_is_waited_for_is_told_in_the_stores_words(system: System, answer: Answer, told: str) -> None:
    (path,) = system.draw(f"told{answer.status}", 1)
    system.faults.rule = lambda request: answer if request.is_write else None
    system.send([path])
    wait_until(lambda: told in system.worker.said())
    assert told in (system.client.status().warning or "")
    system.faults.rule = lambda _: None

    wait_until(lambda: system.known([path]) == {path: None})
    wait_until(lambda: system.client.status().warning is None)


def test_a_search_for_more_than_the_store_gives_is_told_in_its_words(system: System) -> None:
    # One more than the page, to see whether it ends among equal scores.
    words = 'Limit exceeded 201 > 100 for "limit". Help: Reduce the "limit" parameter to or below 100.'
    system.client.sync(system.draw("searched", 1)).result(timeout_s=30)
    system.faults.rule = lambda request: refusal(400, words) if b'"limit":201' in request.body else None

    with pytest.raises(Refused) as caught:
        system.client.search(system.draw("searched", 1)[0], 200).result(timeout_s=30)
    assert str(caught.value) == f"The index cannot be asked that: Qdrant takes fewer at once (400: {words})."


def test_a_store_that_is_full_is_told_to_who_searches(system: System) -> None:
    system.client.sync(system.draw("searched", 1)).result(timeout_s=30)
    system.faults.rule = lambda _: refusal(500, "Too many open files (os error 24)")

    with pytest.raises(Unreachable, match=r"500: Too many open files \(os error 24\)"):
        system.client.search(system.draw("searched", 1)[0], 5).result(timeout_s=30)


def test_a_message_that_cannot_be_put_back_because_the_broker_is_full_is_not_dropped(system: System) -> None:
    paths = system.draw("full", 2)
    redis = redis_of(system.settings)

    def fill(request: Request) -> Answer | None:
        if not request.is_write:
            return None
        redis.config_set("maxmemory", "1")
        return refusal(400, "unknown field")

    system.faults.rule = fill
    try:
        system.send(paths)
        wait_until(lambda: "the broker takes nothing" in system.worker.said())
        system.faults.rule = lambda _: None
    finally:
        redis.config_set("maxmemory", "0")

    wait_until(lambda: system.known(paths) == dict.fromkeys(paths), 60)
    assert system.worker.process.poll() is None
