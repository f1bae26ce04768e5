"""Celery apps like those of other people, and all that Celery leaves to the garbage collector closed after use."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu import pools


@contextmanager
def closed_after(app: Celery) -> Iterator[Celery]:
    """The app; its connections end with the block, also those for answers that nobody fetched."""
    try:
        yield app
    finally:
        backend = app.backend
        # Or each answer that is collected later would connect again, to say that nobody waits for it.
        backend.result_consumer.subscribed_to.clear()
        backend.result_consumer.stop()
        backend.client.connection_pool.disconnect()
        # Shared by all apps of this process that have the same broker.
        pools.reset()  # type: ignore[no-untyped-call]
        app.close()
