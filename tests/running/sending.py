"""Puts messages on queues as any Celery application does, and leaves no connection behind."""

from typing import Any

from lookalike.broker import celery_app
from lookalike.messages import Strict
from lookalike.settings import Settings


def send(settings: Settings, task: str, message: Strict, *, queue: str, **options: Any) -> None:
    """Sends one task; nobody waits for its answer."""
    app = celery_app(settings)
    arguments = [message.model_dump(mode="json")]
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        app.send_task(task, args=arguments, queue=queue, ignore_result=True, producer=producer, **options)
