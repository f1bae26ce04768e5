"""What holds for all tests."""

import signal
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.valkey import valkey_process


@pytest.fixture(autouse=True, scope="session")
def _hears_the_terminal() -> Iterator[None]:
    """Whoever runs the tests under nohup or in the background ignores SIGHUP or SIGINT for all that is started here."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGINT, interrupt)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker of this module."""
    with valkey_process(tmp_path_factory.mktemp("broker")) as url:
        yield url


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    """It, with nothing in it."""
    with Redis.from_url(url) as redis:
        redis.flushall()
        yield redis
