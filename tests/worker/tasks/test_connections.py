"""A client takes as many connections for many searches as for few, and none after it was closed."""

import gc
import sys

import pytest
from redis import Redis

from lookalike import Client
from lookalike.broker.app import CLIENT_CONNECTIONS
from tests.programs.connections import count, measure
from tests.worker.tasks.conftest import System

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts the sockets of this process")
# To send as many as to fetch, and one for the subscription.
MOST = 2 * CLIENT_CONNECTIONS + 1


def test_sixteen_threads_take_no_more_connections_for_many_searches_than_for_few(system: System) -> None:
    name = system.path(3)
    system.client.sync([name]).result(timeout_s=20)
    with Redis.from_url(system.environment["REDIS_URL"]) as redis:
        redis.ping()
        # The clients of earlier tests would be collected, and closed, while this one counts.
        gc.collect()
        before = count(redis)
        peaks = []
        for searches in (100, 400):
            with Client(system.settings) as client:
                peaks.append(measure(client, name, threads=16, searches=searches))

        # On a busy machine sixteen threads may never be at all of them at once.
        assert [peak for peak in peaks if not 1 < peak.sockets <= MOST or not 1 < peak.clients <= MOST] == []
        assert count(redis).sockets == before.sockets
