"""Processes that nothing is in hand for end, and are there again for the next message, also one with a countdown."""

from dataclasses import dataclass, field
from pathlib import Path

from lookalike import Client
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.pictures import draw
from tests.support.sending import send
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import worker_environment, worker_process
from worker.delivery.resting_pool import RestingPool

IDLE_S = 600.0
PROCESSES = 2


@dataclass
class Processes:
    """As much of a pool as is asked: how many there are, and how often new ones were started."""

    num_processes: int = PROCESSES
    started: list[int] = field(default_factory=list)

    def grow(self, n: int) -> None:
        self.num_processes += n

    def shrink(self, n: int) -> None:
        self.num_processes -= n

    def maintain_pool(self) -> None:
        self.started.append(self.num_processes)


def test_the_rest_begins_when_nothing_was_in_hand_for_long_enough() -> None:
    now_s, is_busy, pool = 0.0, True, Processes()
    resting = RestingPool(pool, fewest=0, idle_s=IDLE_S, is_busy=lambda: is_busy, now_s=lambda: now_s)

    now_s = 2 * IDLE_S
    resting.rest_if_due()
    is_busy = False
    now_s += IDLE_S - 1
    resting.rest_if_due()
    assert pool.num_processes == PROCESSES
    now_s += 1
    resting.rest_if_due()
    resting.rest_if_due()
    assert (pool.num_processes, pool.started) == (0, [])

    resting.wake()
    resting.wake()
    assert (pool.num_processes, pool.started) == (PROCESSES, [PROCESSES])
    now_s += IDLE_S - 1
    resting.rest_if_due()
    assert pool.num_processes == PROCESSES


def test_a_pool_that_a_person_has_changed_in_flower_stays_as_it_is() -> None:
    now_s, pool = 0.0, Processes(PROCESSES)
    resting = RestingPool(pool, fewest=1, idle_s=IDLE_S, is_busy=lambda: False, now_s=lambda: now_s)

    pool.shrink(1)
    resting.wake()
    assert pool.num_processes == PROCESSES - 1
    pool.grow(3)
    now_s = IDLE_S
    resting.rest_if_due()
    assert pool.num_processes == 1
    resting.wake()
    assert pool.num_processes == PROCESSES + 2


def test_ingest_keeps_one_process_and_has_all_again_for_a_message(tmp_path: Path, model: Path) -> None:
    library = tmp_path / "library"
    names = [f"{seed}.png" for seed in range(4)]
    for seed, name in enumerate(names):
        draw(library / name, seed)
    with valkey_process(tmp_path) as url, edge_process(tmp_path / "store") as edge:
        settings = read_settings(redis_url=url)
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=library,
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_INGEST_IDLE_S="1",
        )
        log = tmp_path / "ingest.log"
        with (
            worker_process(log, environment, queues=settings.keys.ingest, processes=PROCESSES) as ingest,
            Client(settings) as client,
        ):
            for name in names[:2]:
                wait_until(lambda: len(ingest.children()) == 1)
                assert client.sync([name]).result(timeout_s=30).embedded == 1
            wait_until(lambda: len(ingest.children()) == 1)
            answers = [client.sync([name]) for name in names]
            wait_until(lambda: len(ingest.children()) == PROCESSES)
            assert sum(answer.result(timeout_s=30).embedded for answer in answers) == 2
            said = ingest.said()

    assert said.count("processes started again") == said.count("processes ended") == 3
    assert "exited with" not in said


def test_a_worker_without_any_process_does_what_comes_at_once_or_with_a_countdown(tmp_path: Path, model: Path) -> None:
    draw(tmp_path / "library" / "1.png", 1)
    with valkey_process(tmp_path) as url, edge_process(tmp_path / "store") as edge:
        settings = read_settings(redis_url=url)
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=tmp_path / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_DATA=tmp_path / "data",
            LOOKALIKE_ALIVE_FILE=tmp_path / "alive",
            LOOKALIKE_INGEST_IDLE_S="1",
        )
        (tmp_path / "data").mkdir()
        queue = settings.keys.duplicates
        with (
            worker_process(tmp_path / "ingest.log", environment, queues=settings.keys.ingest),
            worker_process(tmp_path / "duplicates.log", environment, queues=queue, name="duplicates") as worker,
            Client(settings) as client,
        ):
            client.sync(["1.png"]).result(timeout_s=30)
            wait_until(lambda: not worker.children())
            assert client.duplicates().result(timeout_s=30).groups == 0
            wait_until(lambda: not worker.children())
            # Of this queue too: its task is known to each worker.
            send(settings, SYNC, SyncMessage(paths=["1.png"]), queue=queue, countdown=3)
            wait_until(lambda: len(worker.children()) == 1)
            wait_until(lambda: "succeeded" in worker.said().partition("processes started again")[2])
            wait_until(lambda: not worker.children())
            said = worker.said()

    assert said.count("processes started again") == 2
    assert said.count("succeeded") == 2
