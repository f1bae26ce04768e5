"""The tasks as they run for real: Celery processes, Valkey, the store, and the client that everybody uses."""

import base64
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, current_app
from PIL import Image

from lookalike import Client, Refused, TimedOut
from lookalike.broker.app import celery_app
from lookalike.broker.telemetry import Telemetry
from lookalike.messages import SyncReply
from lookalike.redis_keys import SEARCH, SYNC, Keys
from tests.support.pictures import encoded, picture
from tests.support.sending import closed_after
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from tests.worker.tasks.conftest import SLOW_PX, System, held_by_the_worker

# Prints each event that Flower would be told.
LISTENER = """
import sys
from lookalike.broker.app import celery_app
from lookalike.settings import read_settings
app = celery_app(read_settings(redis_url=sys.argv[1]))
with app.connection_for_read() as connection:
    handlers = {"*": lambda event: print(event["type"], event.get("uuid", ""), flush=True)}
    app.events.Receiver(connection, handlers).capture(limit=None, timeout=None, wakeup=False)
"""


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
    (system.root / "new.png").write_bytes(encoded(picture(4)))

    with Client(system.settings.model_copy(update={"max_query_bytes": 10})) as client:
        assert client.search(system.root / name, 1).result(timeout_s=20)[0].path == name
        with pytest.raises(Refused, match="LOOKALIKE_MAX_QUERY_BYTES"):
            client.search(system.root / "new.png")


def test_a_file_of_the_library_is_searched_by_its_embedding_however_many_pixels_it_has(system: System) -> None:
    name = system.path(3)
    system.client.sync([name]).result(timeout_s=20)
    # As if it had been indexed with other limits: what lies there now is more than this worker decodes.
    too_many = encoded(Image.new("1", (20_000, 10_000)))
    (system.root / name).write_bytes(too_many)

    assert system.client.search(system.root / name, 1).result(timeout_s=20)[0].path == name
    with pytest.raises(Refused, match="LOOKALIKE_MAX_IMAGE_PIXELS"):
        system.client.search(too_many).result(timeout_s=20)


def test_a_message_may_name_the_generation_and_another_one_is_refused(system: System) -> None:
    name = system.path(3)
    system.client.sync([name]).result(timeout_s=20)
    app, queues = celery_app(system.settings), system.settings.keys
    asked = {"v": 1, "ask": {"what": "counts"}}
    generation = app.send_task("lookalike.read", args=[asked], queue=queues.search).get(timeout=20)["generation"]

    def send(task: str, queue: str, **message: object) -> Any:
        return app.send_task(task, args=[{"v": 1, **message}], queue=queue).get(timeout=20)

    assert send(SEARCH, queues.search, examples=[{"image": {"path": name}}], limit=1, generation=generation)[
        "neighbours"
    ]
    assert send(SYNC, queues.ingest, paths=[name], generation=generation)["unchanged"] == 1
    for task, queue, message in (
        (SEARCH, queues.search, {"examples": [{"image": {"path": name}}]}),
        (SYNC, queues.ingest, {"paths": [name]}),
    ):
        with pytest.raises(Refused, match="not 'of-yesterday'"):
            send(task, queue, generation="of-yesterday", **message)


def test_any_celery_app_may_search(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=20)
    url = system.environment["REDIS_URL"]
    inline = base64.b64encode(encoded(picture(3))).decode()
    message = {"v": 1, "examples": [{"image": {"base64": inline}}], "limit": 1}

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
        {"v": 2, "examples": [{"image": {"path": "a"}}]},
        {"examples": [{"image": {"path": "a", "x": 1}}]},
        {"examples": [{"image": {"path": "a"}}], "limit": 0},
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


def _is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
