"""A broker, a library, the other side and a running producer for the tests in this folder."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.app import redis_of
from lookalike.broker.reports import ProducerReport
from lookalike.broker.telemetry import Telemetry
from lookalike.settings import Settings, read_settings
from producer.service import Service
from tests.producer.other_side import OtherSide
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

Rest = Callable[[], ProducerReport]


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_process(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@contextmanager
def other_side_process(url: str) -> Iterator[None]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.producer.other_side"], cwd=ROOT, env={**os.environ, "REDIS_URL": url}
    )
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="session")
def other_side(valkey_url: str) -> Iterator[OtherSide]:
    with other_side_process(valkey_url), Redis.from_url(valkey_url) as redis:
        yield OtherSide(redis)


@pytest.fixture
def side(other_side: OtherSide, settings: Settings) -> OtherSide:
    assert settings.library_folder is not None
    other_side.begin(settings.library_folder)
    return other_side


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    root.mkdir()
    return root


@pytest.fixture
def settings(valkey_url: str, library: Path) -> Settings:
    """Quick settings; what the test before left behind is forgotten."""
    with Redis.from_url(valkey_url) as redis:
        for left in [*redis.scan_iter("lookalike:*"), *redis.scan_iter("paused:*")]:
            redis.delete(left)
    return read_settings(redis_url=valkey_url, library=library, settle_s=0.2, batch_wait_s=0.05)


@pytest.fixture
def telemetry(settings: Settings) -> Iterator[Telemetry]:
    with redis_of(settings) as redis:
        yield Telemetry(redis, settings.keys)


@contextmanager
def producing(settings: Settings) -> Iterator[Service]:
    """Runs a producer in this process; it must end in time and without a failed part."""
    assert settings.library is not None
    service = Service(settings, settings.library)
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(service.run()))
    thread.start()
    try:
        yield service
    finally:
        service.stop.set()
        thread.join(5.0)
        assert ended == [True]


@pytest.fixture
def rest(telemetry: Telemetry) -> Rest:
    """Waits for what `lookalike status --wait` waits for, and gives the note."""

    def wait() -> ProducerReport:
        # What the test did a moment ago has to arrive first: a file system event takes milliseconds.
        time.sleep(0.3)
        seen: list[ProducerReport] = []

        def is_at_rest() -> bool:
            note = telemetry.read_report()
            seen.append(note)
            at_rest = note.scan_ended_at > 0 and note.state == "watching" and note.settling == note.held == 0
            return at_rest and not telemetry.waiting()

        wait_until(is_at_rest)
        return seen[-1]

    return wait
