"""What holds for all tests."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _hears_the_terminal() -> Iterator[None]:
    """Whoever runs the tests under nohup or in the background ignores SIGHUP or SIGINT for all that is started here."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGINT, interrupt)
