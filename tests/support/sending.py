"""Puts messages on queues as any Celery application does, and closes what Celery leaves to the garbage collector."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu import pools

from lookalike.broker.app import celery_app
from lookalike.messages import Strict
from lookalike.settings import Settings


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


def send(settings: Settings, task: str, message: Strict, *, queue: str, **options: Any) -> None:
    """Sends one task; nobody waits for its answer."""
    app = celery_app(settings)
    arguments = [message.model_dump(mode="json")]
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        app.send_task(task, args=arguments, queue=queue, ignore_result=True, producer=producer, **options)
