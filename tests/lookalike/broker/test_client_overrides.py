"""Celery's result consumer has each member that the client overrides or calls, private ones included."""

import inspect

import pytest
from celery.backends.redis import ResultConsumer

from lookalike.broker.celery_overrides import Listener

WAITS = "_wait_for_pending"


@pytest.mark.parametrize("member", [WAITS, "on_wait_for_pending", "drain_events_until", "cancel_for", "stop"])
def test_what_the_listener_relies_on_is_there(member: str) -> None:
    assert callable(getattr(ResultConsumer, member))


def test_the_wait_takes_what_celery_passes() -> None:
    theirs = inspect.signature(getattr(ResultConsumer, WAITS)).parameters
    ours = inspect.signature(getattr(Listener, WAITS)).parameters

    assert {"result", "timeout", "on_interval"} <= theirs.keys()
    assert {"result", "timeout", "on_interval", "named"} <= ours.keys()
