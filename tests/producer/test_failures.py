"""The broker falls over, the kernel runs out of watches, events get lost: the producer says so and goes on."""

import ctypes
import errno
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from watchdog.observers import inotify_c

from lookalike.broker.app import redis_of
from lookalike.broker.telemetry import Telemetry
from lookalike.settings import Settings, read_settings
from producer.__main__ import main
from producer.watching.watcher import Watcher
from tests.producer.conftest import ROOT, Rest, other_side_process, producing
from tests.producer.files import draw, draw_old
from tests.producer.other_side import PAUSED, OtherSide
from tests.support.valkey import free_port, start_valkey, stop_valkey
from tests.support.waiting import wait_until


def test_a_broker_that_falls_over_is_waited_for_and_a_scan_follows(
    library: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    settings = read_settings(redis_url=f"redis://127.0.0.1:{port}/0", library=library, settle_s=0.1)
    draw_old(library / "first.jpg")

    with producing(settings):
        wait_until(lambda: "broker unavailable" in caplog.text)
        server = start_valkey(tmp_path, port)
        try:
            with other_side_process(f"redis://127.0.0.1:{port}/0"), Redis(port=port) as redis:
                side = OtherSide(redis)
                side.begin(library)
                wait_until(lambda: "first.jpg" in side.files)
                caplog.clear()

                stop_valkey(server)
                wait_until(lambda: "broker unavailable" in caplog.text)
                draw(library / "second.jpg")
                server = start_valkey(tmp_path, port)
                side.begin(library)
                # It came back empty, as if it had lost all it knew.
                wait_until(lambda: sorted(side.files) == ["first.jpg", "second.jpg"])
                logged = caplog.text
        finally:
            stop_valkey(server)

    assert logged.count("broker unavailable") == 1
    assert "scan requested" in logged


def test_a_photo_overtakes_a_scan_that_waits_for_room_in_its_queue(
    settings: Settings, library: Path, side: OtherSide
) -> None:
    paused = settings.model_copy(update={"name": PAUSED, "batch_paths": 5, "max_queued_batches": 4})
    for number in range(60):
        draw_old(library / f"{number}.jpg", str(number))
    assert side.files == {}

    with producing(paused), redis_of(paused) as redis:
        telemetry = Telemetry(redis, paused.keys)
        wait_until(lambda: redis.llen(paused.keys.rescan) == 4)
        wait_until(lambda: telemetry.read_report().discovered == 60)
        assert telemetry.read_report().state == "comparing"
        assert telemetry.read_report().scan_ended_at == 0.0
        wait_until(lambda: telemetry.read_report().held >= 5)

        draw(library / "new.jpg")
        wait_until(lambda: redis.llen(paused.keys.ingest) == 1)
        wait_until(lambda: telemetry.read_report().discovered == 61)
        assert redis.llen(paused.keys.rescan) == 4

        # The workers take everything.
        wait_until(lambda: redis.delete(paused.keys.rescan) == 0 and telemetry.read_report().state == "watching")
        assert telemetry.read_report().scan_ended_at > 0


def test_a_photo_overtakes_a_flood_of_events(settings: Settings, library: Path, side: OtherSide) -> None:
    paused = settings.model_copy(update={"name": PAUSED, "batch_paths": 1, "max_queued_batches": 4})
    draw_old(library / "first.jpg")
    side.put("first.jpg")

    with producing(paused), redis_of(paused) as redis:
        telemetry, ingest, rescan = Telemetry(redis, paused.keys), paused.keys.ingest, paused.keys.rescan
        wait_until(lambda: telemetry.read_report().state == "watching")
        for number in range(20):
            draw(library / f"{number}.jpg")
        wait_until(lambda: (redis.llen(ingest), redis.llen(rescan), telemetry.read_report().held) == (4, 4, 12))

        # The workers take from `ingest` first; the rest of the flood does not fill it again.
        redis.delete(ingest)
        draw(library / "new.jpg")
        wait_until(lambda: (redis.llen(ingest), redis.llen(rescan), telemetry.read_report().held) == (1, 4, 12))


def test_what_is_on_its_way_is_not_sent_again_by_a_scan(settings: Settings, library: Path, side: OtherSide) -> None:
    paused = settings.model_copy(update={"name": PAUSED})
    draw_old(library / "first.jpg")
    assert side.files == {}

    with producing(paused) as service, redis_of(paused) as redis:
        telemetry = Telemetry(redis, paused.keys)
        wait_until(lambda: telemetry.read_report().state == "watching")
        ended_at = telemetry.read_report().scan_ended_at

        service.rescan("the test asks")
        wait_until(lambda: telemetry.read_report().scan_ended_at > ended_at)
        assert redis.llen(paused.keys.rescan) == 1

        draw_old(library / "first.jpg", "changed", age_s=50.0)
        wait_until(lambda: redis.llen(paused.keys.ingest) == 1)


@pytest.fixture
def few_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses more watches than three, as it does when the user's share is used up."""
    real = inotify_c.inotify_add_watch
    paths: set[bytes] = set()

    def refusing(descriptor: int, path: bytes, mask: int) -> int:
        if len(paths | {path}) > 3:
            ctypes.set_errno(errno.ENOSPC)
            return -1
        paths.add(path)
        return real(descriptor, path, mask)

    monkeypatch.setattr(inotify_c, "inotify_add_watch", refusing)


@pytest.mark.usefixtures("few_watches")
def test_when_the_watches_are_used_up_it_polls_and_says_what_to_do(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    for number in range(5):
        draw_old(library / str(number) / "a.jpg")

    with producing(settings.model_copy(update={"poll_s": 0.2})):
        note = rest()
        assert note.watching == "polling"
        assert "fs.inotify.max_user_watches" in note.warning

        draw(library / "4" / "new.jpg")
        wait_until(lambda: "4/new.jpg" in side.files)


def test_an_observer_that_died_is_restarted(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> None:
    with producing(settings) as service:
        rest()
        ended_at = rest().scan_ended_at
        watcher = service._watcher  # noqa: SLF001 - it has to be killed
        assert isinstance(watcher, Watcher)
        # Its proofs of life are a minute apart.
        service._supervision._pulse_every_s = 0.2  # type: ignore[attr-defined]  # noqa: SLF001
        service._supervision.wake()  # noqa: SLF001
        watcher.stop()
        wait_until(watcher.is_healthy)
        draw(library / "new.jpg")

        wait_until(lambda: "new.jpg" in side.files)
        assert rest().scan_ended_at > ended_at


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "LOOKALIKE_LIBRARY is not set"),
        ({"LOOKALIKE_LIBRARY": "/photos"}, "REDIS_URL"),
        ({"LOOKALIKE_LIBRARY": "/photos", "REDIS_URL": "nonsense"}, "REDIS_URL"),
        ({"LOOKALIKE_LIBRARY": "/photos", "LOOKALIKE_SETTLE_S": "soon"}, "LOOKALIKE_SETTLE_S"),
    ],
)
def test_wrong_settings_end_in_one_sentence(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name == "REDIS_URL" or name.startswith("LOOKALIKE_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert main() == 1
    stderr = capsys.readouterr().err
    assert sentence in stderr
    assert stderr.count("\n") == 1


def producer_process(**environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "producer"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_ends_it_in_the_middle_of_a_scan(settings: Settings, library: Path, side: OtherSide) -> None:
    for at in range(200):
        draw_old(library / f"{at}.jpg", str(at))
    assert side.files == {}
    assert settings.redis_url is not None
    producer = producer_process(
        LOOKALIKE_LIBRARY=os.fspath(library),
        LOOKALIKE_NAME=PAUSED,
        LOOKALIKE_MAX_QUEUED_BATCHES="1",
        REDIS_URL=settings.redis_url.get_secret_value(),
    )
    with redis_of(settings) as redis:
        wait_until(lambda: redis.llen("paused:rescan") == 1)

    producer.send_signal(signal.SIGTERM)
    _, stderr = producer.communicate(timeout=60)

    assert producer.returncode == 0
    assert "library compared" not in stderr
    assert "Traceback" not in stderr
