"""Loss and recovery of the broker are logged once each, and it is retried ever more rarely in between."""

import logging

import pytest

from lookalike.backoff import LONGEST_S
from producer.publishing.broker_health import BrokerHealth


def test_loss_and_recovery_are_each_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    returned: list[bool] = []
    now_s = 0.0
    broker_health = BrokerHealth(lambda: returned.append(True), lambda: now_s)
    broker_health.succeeded()

    for _ in range(5):
        broker_health.failed(OSError("refused"))
    assert not broker_health.allows_attempt()
    now_s = LONGEST_S
    assert broker_health.allows_attempt()
    for _ in range(3):
        broker_health.succeeded()

    assert (caplog.text.count("broker unavailable"), caplog.text.count("broker available again")) == (1, 1)
    assert returned == [True]


def test_a_broker_that_was_never_there_lost_nothing() -> None:
    returned: list[bool] = []
    broker_health = BrokerHealth(lambda: returned.append(True), lambda: 0.0)
    assert not broker_health.is_available

    broker_health.failed(OSError("refused"))
    broker_health.succeeded()

    assert broker_health.is_available
    assert returned == []
