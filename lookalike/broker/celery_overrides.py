"""Celery's app, result backend and transport as a client needs them, in a process that may fork and have other apps."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend, ResultConsumer
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.loaders.app import AppLoader
from celery.result import AsyncResult
from kombu.connection import ConnectionPool as BrokerConnectionPool
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport
from redis import BlockingConnectionPool, ConnectionPool

# As Celery's options name classes.
CLIENT_BACKEND = "lookalike.broker.celery_overrides:Answers"
CLIENT_TRANSPORT = "lookalike.broker.celery_overrides:Transport"
SENTINEL_BACKEND = "lookalike.broker.sentinel_overrides:Answers"
SENTINEL_TRANSPORT = "lookalike.broker.sentinel_overrides:Transport"
# A connection is used for a millisecond at a time: where none is free by then, none will be.
POOL_WAIT_S = 10.0


class Listener(ResultConsumer):  # type: ignore[misc]
    """One pub/sub subscription for all threads of a process."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pid = os.getpid()

    def cancel_for(self, task_id: str) -> None:
        """Unsubscribes, but not in a child of fork(), where greenlets that waited are ended.

        There the socket is the parent's: an UNSUBSCRIBE would get mixed with the parent's commands.
        """
        if os.getpid() == self._pid:
            super().cancel_for(task_id)

    def _wait_for_pending(
        self,
        result: AsyncResult,
        timeout: float | None = None,
        on_interval: Callable[[], None] | None = None,
        **named: Any,
    ) -> Iterator[None]:
        """Waits as Celery does, without its sleep(0) after each wait: .07 ms, of which a search met two."""
        self.on_wait_for_pending(result, timeout=timeout, **named)
        try:
            yield from self.drain_events_until(result.on_ready, timeout=timeout, on_interval=on_interval)
        except TimeoutError:
            raise CeleryTimeoutError("The operation timed out.") from None

    def close(self) -> None:
        """Ends the subscription and, under gevent, the greenlet that reads it."""
        stopped = getattr(self.drainer, "_stopped", None)
        if stopped is not None:
            stopped.set()
        self.stop()


class Answers(RedisBackend):  # type: ignore[misc]
    """Results that are never asked for cost no subscription, so nothing of them has to be cleaned up."""

    ResultConsumer = Listener

    def _get_pool(self, **params: Any) -> BlockingConnectionPool:
        """Where a thread waits for a connection: Celery's pool would open one more for each thread."""
        return BlockingConnectionPool(timeout=POOL_WAIT_S, **params)  # type: ignore[no-untyped-call]

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Celery would subscribe to the result here; `get` does that as well, and then reads it."""

    def _set(self, key: str, value: str, expires: int | None = None) -> None:
        """Stores a result and tells who waits. Celery 5.7 does it by a command for which redis-py 8 warns."""
        with self.client.pipeline() as pipe:
            pipe.set(key, value, ex=expires or self.expires)
            pipe.publish(key, value)
            pipe.execute()

    def close(self) -> None:
        """Closes all of its connections."""
        self.result_consumer.close()
        self.client.connection_pool.disconnect()


class Answer(AsyncResult):  # type: ignore[misc]
    """One result. `CeleryTransport.answer` cancels its subscription explicitly."""

    def __del__(self) -> None:
        """Does nothing: Celery would unsubscribe here, at any time, in any greenlet, perhaps without a broker."""


class Channel(RedisChannel):
    """A connection to the broker that a child of fork() leaves alone."""

    def _after_fork(self) -> None:
        """Called in children that multiprocessing makes.

        Kombu would disconnect here, and wait for ever if a thread of the parent held the lock of redis-py's pool at the
        fork. The child has connections of its own (lookalike/client/transports/connections.py).
        """

    @property
    def async_pool(self) -> ConnectionPool:
        """Kombu's second pool, for channels that receive: this one sends only, and needs no second connection."""
        pool: ConnectionPool = self.pool
        return pool


class Transport(RedisTransport):
    """Redis, by that channel."""

    Channel = Channel


class BrokerPool(BrokerConnectionPool):
    """Connections to the broker that a child of fork() leaves alone."""

    # An argument of this name is dropped by kombu 5.7.
    close_after_fork = False


class Loader(AppLoader):  # type: ignore[misc]
    """Loads no configuration of another program: CELERY_CONFIG_MODULE names that of the caller's app."""

    def read_configuration(self, env: str = "CELERY_CONFIG_MODULE") -> dict[str, Any]:  # noqa: ARG002 (Celery's name)
        """Nothing."""
        return {}


class IsolatedCelery(Celery):  # type: ignore[misc]
    """A Celery app that CELERY_* variables do not reach: in a process with another Celery app they are meant for that.

    Of addresses Celery prefers the environment to what an app was configured with (celery/app/utils.py).
    """

    def __init__(self, name: str, url: str) -> None:
        self._url = url
        super().__init__(name, loader=Loader, set_as_current=False)
        self.backend_cls = url

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        """A connection to our broker."""
        return super().connection_for_read(url or self._url, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """A connection to our broker."""
        return super().connection_for_write(url or self._url, **options)
