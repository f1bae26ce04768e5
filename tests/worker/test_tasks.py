"""The tasks as they run for real: Celery processes, Valkey, the store, and the client that everybody uses."""

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery import Celery, current_app
from redis import Redis

from lookalike import Client, LookalikeError, Refused, TimedOut
from lookalike.broker import celery_app
from lookalike.messages import SyncMessage, SyncReply
from lookalike.redis_keys import SEARCH, SYNC, Keys
from lookalike.settings import Settings, read_settings
from lookalike.telemetry import Telemetry
from tests.support.edge import edge_process
from tests.support.pictures import encoded, picture
from tests.support.sending import closed_after
from tests.support.valkey import free_port, start_valkey, stop_valkey, valkey_process
from tests.support.workers import WorkerProcess, wait_until, worker_environment, worker_process
from worker.delivery.poison import PoisonDetector

# A decoder that kills its process and one that hangs, put in the way of pictures of these sizes: what real
# decoders did with files that are fixed by now.
DEADLY_PX, SLOW_PX, LATE_PX = 66, 67, 68
SITE = f"""
import os, signal, time
from PIL import ImageFile
load = ImageFile.ImageFile.load
def load_or_die(image):
    if image.width == {DEADLY_PX}:
        os.kill(os.getpid(), signal.SIGKILL)
    if image.width == {SLOW_PX}:
        time.sleep(60)
    if image.width == {LATE_PX}:
        time.sleep(0.2)  # Pillow calls this several times for one image
    return load(image)
ImageFile.ImageFile.load = load_or_die
"""

# Prints each event that Flower would be told.
LISTENER = """
import sys
from lookalike.broker import celery_app
from lookalike.settings import read_settings
app = celery_app(read_settings(redis_url=sys.argv[1]))
with app.connection_for_read() as connection:
    handlers = {"*": lambda event: print(event["type"], event.get("uuid", ""), flush=True)}
    app.events.Receiver(connection, handlers).capture(limit=None, timeout=None, wakeup=False)
"""


@dataclass
class System:
    """A running system without producer and supervisor."""

    root: Path
    client: Client
    settings: Settings
    environment: dict[str, str]
    worker: WorkerProcess
    log: Path
    redis: Redis

    def path(self, seed: int, name: str | None = None, width: int = 64) -> str:
        """Draws a picture into the library."""
        name = name or f"{seed}.png"
        (self.root / name).write_bytes(encoded(picture(seed, (width, 48))))
        return name


def known(system: System) -> dict[str, str]:
    """Paths and their status; empty while the only process is at work on something that takes longer than a read."""
    with suppress(LookalikeError):
        return {file.path: file.status for file in system.client.list()}
    return {}


def held_by_the_worker(redis: Redis, keys: Keys) -> str:
    """Key of the messages that the only worker holds."""
    holders: set[bytes] = redis.smembers(keys.holders)  # type: ignore[assignment]
    (holder,) = holders
    return keys.unacked(holder.decode())


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    (folder / "library").mkdir()
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    with valkey_process(folder) as redis_url, edge_process(folder / "store") as edge:
        environment = worker_environment(
            REDIS_URL=redis_url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=folder / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_DECODE_TIMEOUT_S="2",
            LOOKALIKE_ALIVE_FILE=folder / "alive",
            PYTHONPATH=folder / "site",
        )
        queues = "lookalike:ingest,lookalike:rescan,lookalike:search"
        with worker_process(folder / "worker.log", environment, queues=queues) as worker:
            settings = read_settings(redis_url=redis_url, library=folder / "library", model=str(model))
            with Client(settings) as client, Redis.from_url(redis_url) as redis:
                yield System(
                    root=folder / "library",
                    client=client,
                    settings=settings,
                    environment=environment,
                    worker=worker,
                    log=folder / "worker.log",
                    redis=redis,
                )


def test_sync_then_search_by_file_bytes_and_path(system: System, tmp_path: Path) -> None:
    names = [system.path(seed) for seed in range(5)]
    assert system.client.sync(names).result(timeout_s=20) == SyncReply(embedded=5)
    query = shutil.copy(system.root / "3.png", tmp_path / "query.png")

    for image in (query, Path(query).read_bytes(), "3.png", system.root / "3.png"):
        neighbours = system.client.search(image, limit=3).result(timeout_s=20)
        assert [len(neighbours), neighbours[0].path] == [3, "3.png"]
        assert neighbours[0].score >= 0.999


def test_a_worker_that_is_well_says_so_in_its_file(system: System) -> None:
    file = Path(system.environment["LOOKALIKE_ALIVE_FILE"])

    wait_until(file.exists)
    written_ns = file.stat().st_mtime_ns
    wait_until(lambda: file.stat().st_mtime_ns > written_ns)

    assert file.read_text() == ""


def test_a_file_of_the_library_is_searched_by_its_embedding_however_large_it_is(system: System) -> None:
    name = system.path(3)
    system.client.sync([name]).result(timeout_s=20)

    with Client(system.settings.model_copy(update={"max_query_bytes": 10})) as client:
        assert client.search(system.root / name, 1).result(timeout_s=20)[0].path == name


def test_any_celery_app_may_search(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=20)
    url = system.environment["REDIS_URL"]
    inline = base64.b64encode(encoded(picture(3))).decode()
    message = {"v": 1, "image": {"base64": inline}, "limit": 1}

    with closed_after(Celery(broker=url, backend=url)) as app:
        answer = app.send_task(SEARCH, args=[message], queue="lookalike:search").get(timeout=20)

    assert answer["neighbours"][0]["path"] == "3.png"


def test_the_client_leaves_the_callers_current_app_alone(system: System) -> None:
    mine = Celery("mine", set_as_current=True)

    with Client(system.settings) as client:
        client.status()

    assert current_app._get_current_object() is mine  # noqa: SLF001


def test_the_callers_celery_variables_mean_the_callers_app(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL"):
        monkeypatch.setenv(f"CELERY_{variable}", "redis://127.0.0.1:1/0")
    # None of these can even be loaded.
    for variable in ("RESULT_BACKEND", "CONFIG_MODULE", "LOADER"):
        monkeypatch.setenv(f"CELERY_{variable}", "no_such_module")

    with Client(system.settings) as client:
        client.sync([system.path(3)]).result(timeout_s=20)
        assert client.search("3.png", 1).result(timeout_s=20)[0].path == "3.png"


def test_a_client_builds_nothing_of_the_callers_own_app(system: System) -> None:
    """Not its result backend either, which may be a database that nobody has opened."""
    mine = Celery("mine", set_as_current=True, backend="no_such_module")

    with Client(system.settings) as client:
        assert client.search(system.path(3), 1).id

    assert current_app._get_current_object() is mine  # noqa: SLF001


@pytest.mark.parametrize(
    "message",
    [
        {},
        [],
        "x",
        {"v": 2, "image": {"path": "a"}},
        {"image": {"path": "a", "x": 1}},
        {"image": {"path": "a"}, "limit": 0},
    ],
)
def test_a_message_that_is_none_of_ours_is_refused_by_its_field(system: System, message: object) -> None:
    with closed_after(celery_app(system.settings)) as app:
        sent = app.send_task(SEARCH, args=[message], queue=system.settings.keys.search)

        with pytest.raises(Refused, match="This is no SearchMessage"):
            sent.get(timeout=20)


def test_a_pickle_is_refused_unopened_and_the_worker_lives(system: System, tmp_path: Path) -> None:
    mark = tmp_path / "opened"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (mark,))

    url = system.environment["REDIS_URL"]
    with closed_after(Celery(broker=url, backend=url)) as stranger:
        stranger.send_task(SYNC, args=[Evil()], serializer="pickle", queue=system.settings.keys.ingest)
    system.client.sync([system.path(3)]).result(timeout_s=20)

    assert "ContentDisallowed" in system.worker.said()
    assert not mark.exists()


def test_a_search_that_nobody_waits_for_any_more_is_not_done(system: System) -> None:
    os.kill(system.worker.process.pid, signal.SIGSTOP)
    try:
        job = system.client.search(encoded(picture(3)), timeout_s=0.5)
        with pytest.raises(TimedOut):
            job.result()
    finally:
        os.kill(system.worker.process.pid, signal.SIGCONT)

    wait_until(lambda: f"Discarding revoked task: {SEARCH}[{job.id}]" in system.worker.said())
    assert f"{SEARCH}[{job.id}] succeeded" not in system.worker.said()


def test_a_bad_query_is_refused_in_words(system: System) -> None:
    with pytest.raises(Refused, match="not an image of a known format"):
        system.client.search(b"hello").result(timeout_s=20)
    with pytest.raises(Refused, match="not a path inside the library"):
        system.client.search("../secret.png")


def test_query_bytes_lie_beside_the_message_and_live_as_long_as_it(system: System) -> None:
    def keys() -> set[bytes]:
        return set(system.redis.scan_iter("lookalike:query:*"))

    before = keys()
    system.client.search(encoded(picture(3)), timeout_s=2).result()

    (added,) = keys() - before
    assert system.redis.get(added) == encoded(picture(3))
    assert 0 < int(system.redis.pttl(added)) <= 2000


def test_status_counts_come_from_the_index(system: System) -> None:
    system.client.sync([system.path(1), system.path(2)]).result(timeout_s=20)
    wait_until(lambda: system.client.status().parts["ingest"] == "up")

    listed = {file.path: file.status for file in system.client.list()}

    assert {"1.png", "2.png"} <= listed.keys()
    assert system.redis.hget("lookalike:total", "embedded") is not None
    assert [file.path for file in system.client.rejected()] == [
        path for path, status in listed.items() if status == "rejected"
    ]


def test_an_image_that_kills_its_process_is_named_and_the_rest_is_indexed(system: System) -> None:
    others = [system.path(seed, f"beside-{seed}.png") for seed in range(50, 56)]
    deadly = system.path(60, "deadly.png", width=DEADLY_PX)

    system.client.sync([*others[:3], deadly, *others[3:]])

    wait_until(lambda: {deadly, *others} <= known(system).keys(), 60)
    assert known(system)[deadly] == "rejected"
    assert {known(system)[path] for path in others} == {"indexed"}
    reasons = {file.path: file.reason for file in system.client.rejected()}
    assert reasons[deadly] == "the worker's process died or hung twice while opening it"
    assert not list(system.redis.scan_iter("lookalike:danger:*"))


def test_an_image_that_hangs_is_named_and_the_rest_is_indexed(system: System) -> None:
    other = system.path(70, "beside-slow.png")
    slow = system.path(71, "slow.png", width=SLOW_PX)

    system.client.sync([other, slow])

    wait_until(lambda: {slow, other} <= known(system).keys(), 60)
    assert (known(system)[slow], known(system)[other]) == ("rejected", "indexed")


@pytest.mark.parametrize("width", [DEADLY_PX, SLOW_PX])
def test_a_query_that_kills_or_hangs_its_process_is_told_and_the_next_is_answered(system: System, width: int) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=20)

    with pytest.raises(Refused, match="process died over it"):
        system.client.search(encoded(picture(5, (width, 48)))).result(timeout_s=20)

    assert system.client.search(encoded(picture(3)), 1).result(timeout_s=20)[0].path == "3.png"


def test_a_process_killed_from_outside_blames_nobody(system: System) -> None:
    names = [system.path(seed, f"outside-{seed}.png") for seed in range(80, 100)]
    sent = system.client.sync(names)
    for child in system.worker.children():
        os.kill(child, signal.SIGKILL)

    del sent
    wait_until(lambda: {file.path for file in system.client.list()} >= set(names), 60)
    assert not set(names) & {file.path for file in system.client.rejected()}


def test_a_worker_killed_with_its_message_in_hand_does_it_when_it_is_back(
    system: System, tmp_path: Path, model: Path
) -> None:
    environment = system.environment | {"LOOKALIKE_NAME": "other", "LOOKALIKE_DECODE_TIMEOUT_S": "60"}
    settings = read_settings(redis_url=environment["REDIS_URL"], library=system.root, model=str(model), name="other")
    telemetry = Telemetry(system.redis, settings.keys)
    slow = system.path(90, "hang.png", width=SLOW_PX)
    message = SyncMessage(paths=[slow]).model_dump(mode="json")
    log, queues = tmp_path / "other.log", "other:ingest,other:search"

    with worker_process(log, environment, queues=queues) as worker, closed_after(celery_app(settings)) as app:
        app.send_task(SYNC, args=[message], queue=settings.keys.ingest)
        wait_until(lambda: list(system.redis.scan_iter("other:danger:*")))
        worker.kill()
    assert (telemetry.waiting(), telemetry.in_progress()) == (0, 1)

    (system.root / slow).write_bytes(encoded(picture(90)))
    with worker_process(log, environment, queues=queues), Client(settings) as client:
        wait_until(lambda: [file.path for file in client.list()] == [slow])
        wait_until(lambda: (telemetry.waiting(), telemetry.in_progress()) == (0, 0))


def test_what_was_delivered_and_not_begun_when_the_broker_went_is_taken_back(system: System) -> None:
    """Celery forgets such a message when it connects again, and only the visibility timeout would bring it back."""
    name, held = system.path(95, "stranded.png"), held_by_the_worker(system.redis, system.settings.keys)
    message = SyncMessage(paths=[name]).model_dump(mode="json")
    with closed_after(celery_app(system.settings)) as app:
        app.send_task(SYNC, args=[message], queue="nobody")
    (raw,) = system.redis.lrange("nobody", 0, -1)
    stranded = json.dumps([json.loads(raw), "", system.settings.keys.ingest])

    system.redis.hset(held, "a-tag", stranded)
    system.redis.client_kill_filter(_type="normal", skipme=True)

    wait_until(lambda: name in known(system))
    wait_until(lambda: not system.redis.hlen(held))


def test_what_is_in_hand_when_the_broker_goes_is_done_and_nothing_stays_behind(system: System) -> None:
    telemetry = Telemetry(system.redis, system.settings.keys)
    name = system.path(96, "in hand.png", width=LATE_PX)
    system.client.sync([name])
    wait_until(lambda: list(system.redis.scan_iter("lookalike:danger:*")))

    system.redis.client_kill_filter(_type="normal", skipme=True)

    wait_until(lambda: known(system).get(name) == "indexed")
    wait_until(lambda: (telemetry.waiting(), telemetry.in_progress()) == (0, 0))


def test_what_is_delivered_again_while_somebody_works_on_it_waits_and_blames_nobody(system: System) -> None:
    """The broker does so when connections break; here this very process is the one that works on it."""
    task, name = "delivered-again", system.path(97)
    message = SyncMessage(paths=[name]).model_dump(mode="json")
    ingest = system.settings.keys.ingest

    poison = PoisonDetector(system.redis, system.settings.keys, longest_s=60)
    with poison.guard(task), closed_after(celery_app(system.settings)) as app:
        for _ in range(3):
            app.send_task(SYNC, args=[message], queue=ingest, task_id=task)
        wait_until(lambda: "another process is at work on it" in system.worker.said())

    wait_until(lambda: known(system).get(name) == "indexed")
    assert not list(system.redis.scan_iter("lookalike:danger:*"))


def test_a_search_holds_ingest_up_and_is_no_file_that_is_on_its_way(system: System, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    environment = system.environment | {"LOOKALIKE_NAME": "searching"}
    environment["LOOKALIKE_SEARCH_LOCK"] = str(lock)
    keys = Keys("searching")
    telemetry = Telemetry(system.redis, keys)
    settings = system.settings.model_copy(update={"name": "searching"})
    searching = worker_process(tmp_path / "searching.log", environment, queues=keys.search, name="search")
    with searching, Client(settings) as client:
        # The first is opened, which takes two seconds, and the second is held until then.
        for seed in range(2):
            client.search(encoded(picture(seed, (SLOW_PX, 48))))
        held = held_by_the_worker(system.redis, keys)
        wait_until(lambda: system.redis.hlen(held))

        assert (telemetry.waiting(), telemetry.in_progress()) == (0, 0)
        wait_until(lambda: lock.exists() and not _is_free(lock))
        # Whoever dies over it leaves nothing behind.
        wait_until(lambda: _is_free(lock))


def test_flower_is_told_of_a_search_although_the_worker_ends_right_after_it(system: System, tmp_path: Path) -> None:
    environment = system.environment | {"LOOKALIKE_NAME": "told"}
    settings = system.settings.model_copy(update={"name": "told"})
    # In a process of its own: Celery leaves the sockets of a receiver to the garbage collector.
    heard = tmp_path / "heard.txt"
    with heard.open("wb") as sink:
        listener = subprocess.Popen([sys.executable, "-c", LISTENER, environment["REDIS_URL"]], stdout=sink)
    try:
        with worker_process(tmp_path / "told.log", environment, queues="told:search", name="search"):
            # That the worker is there, so the listener hears.
            wait_until(heard.read_text)
            with Client(settings) as client:
                job = client.search(encoded(picture(3)))
                job.result()
        wait_until(lambda: f"task-succeeded {job.id}" in heard.read_text())
    finally:
        listener.kill()
        listener.wait()
    told = [line.split() for line in heard.read_text().splitlines()]
    assert [said[0] for said in told if job.id in said] == ["task-received", "task-started", "task-succeeded"]


def test_a_broker_that_went_while_an_image_was_decoded_is_not_the_images_fault(
    system: System, tmp_path: Path, model: Path
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    port = free_port()
    settings = read_settings(redis_url=f"redis://127.0.0.1:{port}/0", library=system.root, model=str(model))
    environment = system.environment | {"REDIS_URL": f"redis://127.0.0.1:{port}/0", "LOOKALIKE_NAME": "going"}
    keys, log = Keys("going"), tmp_path / "going.log"
    name = system.path(98, "going.png", width=LATE_PX)
    message = SyncMessage(paths=[name]).model_dump(mode="json")
    server = start_valkey(folder, port)
    try:
        with worker_process(log, environment, queues="going:ingest,going:search") as worker:
            with Redis(port=port) as redis, closed_after(celery_app(settings)) as app:
                app.send_task(SYNC, args=[message], queue=keys.ingest)
                wait_until(lambda: list(redis.scan_iter("going:danger:*")))
            stop_valkey(server)
            wait_until(lambda: "the broker does not answer" in worker.said())
            server = start_valkey(folder, port)

            with Client(settings.model_copy(update={"name": "going"})) as client:
                wait_until(lambda: [file.path for file in client.list()] == [name])
                assert [file.status for file in client.list()] == ["indexed"]
    finally:
        stop_valkey(server)


def _is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
