"""Images, processes and brokers that fail under the tasks: what is told, and that nothing is lost."""

import json
import os
import signal
from pathlib import Path

import pytest
from redis import Redis

from lookalike import Client, Refused
from lookalike.broker.app import celery_app
from lookalike.broker.telemetry import Telemetry
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC, Keys
from lookalike.settings import read_settings
from tests.support.pictures import encoded, picture
from tests.support.sending import closed_after
from tests.support.valkey import free_port, start_valkey, stop_valkey
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from tests.worker.tasks.conftest import DEADLY_PX, LATE_PX, SLOW_PX, System, held_by_the_worker, known
from worker.delivery.poison import PoisonDetector


def test_an_image_that_kills_its_process_is_named_and_the_rest_is_indexed(system: System) -> None:
    others = [system.path(seed, f"beside-{seed}.png") for seed in range(50, 56)]
    deadly = system.path(60, "deadly.png", width=DEADLY_PX)

    job = system.client.sync([*others[:3], deadly, *others[3:]])

    wait_until(lambda: {deadly, *others} <= known(system).keys(), 60)
    assert known(system)[deadly] == "rejected"
    assert {known(system)[path] for path in others} == {"indexed"}
    reasons = {file.path: file.reason for file in system.client.rejected()}
    assert reasons[deadly] == "the worker's process died or hung twice while opening it"
    assert not marks_of_syncs(system.redis)
    (split,) = [line for line in system.worker.said().splitlines() if ": split paths=7 " in line]
    assert split.endswith(f"task={job.id}")


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


def marks_of_syncs(redis: Redis) -> list[bytes]:
    """The marks of images that killed their process; a thumbnail that did keeps its own."""
    return [key for key in redis.scan_iter("lookalike:danger:*") if b":thumbnail:" not in key]


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
    assert not marks_of_syncs(system.redis)


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
