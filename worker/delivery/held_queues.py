"""How a pause holds the messages of ingest back: their queues are left out of what is asked for.

Relies on the insides of kombu as worker/delivery/celery_overrides.py does, and is tested with it.
"""

from collections.abc import Callable
from typing import Any

from celery import bootsteps
from kombu.utils.scheduling import sorted_cycle

from lookalike.broker.pause import LOOK_S
from lookalike.redis_keys import Keys
from worker.pausing import Pausing


class UnpausedQueues(sorted_cycle):
    """The queues that the next request to Redis names; during a pause not those of ingest.

    A request that is under way is ended then, and may bring one more message. To cancel the consumer of a queue would
    leave that message in the socket, where a restart loses it; and Flower would show the queue no more.
    """

    def __init__(self, queues: list[str], paused: frozenset[str], is_paused: Callable[[], bool]) -> None:
        super().__init__(queues)  # type: ignore[no-untyped-call]
        self._paused = paused
        self._is_paused = is_paused

    def consume(self, n: int) -> list[str]:
        """At most n queues, in the order in which Redis looks at them."""
        queues: list[str] = super().consume(n)  # type: ignore[no-untyped-call]
        return [queue for queue in queues if queue not in self._paused] if self._is_paused() else queues


def pause_step(pausing: Pausing, keys: Keys) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that takes nothing from the queues of ingest while it pauses."""

    class ObeyPause(bootsteps.StartStopStep):  # type: ignore[misc]
        """Looks every LOOK_S whether to pause. What is in work is finished, and the lease is renewed as ever."""

        requires = ("celery.worker.consumer.tasks:Tasks",)
        timer: Any = None

        def start(self, consumer: Any) -> None:
            """Called by Celery each time it has connected, before it takes messages."""
            # Before the first message; if the broker fails here, Celery connects again.
            pausing.look()
            consumer.is_paused = is_paused
            channel, paused = consumer.task_consumer.channel, frozenset((keys.ingest, keys.rescan))
            channel._queue_cycle = UnpausedQueues(channel._queue_cycle.items, paused, is_paused)  # noqa: SLF001
            self.stop(consumer)

            def look() -> None:
                was_paused = is_paused()
                pausing.look_if_possible()
                if is_paused() and not was_paused:
                    channel.end_wait()

            self.timer = consumer.timer.call_repeatedly(LOOK_S, look)

        def stop(self, _consumer: Any) -> None:
            """Called by Celery when the connection is lost, and at the end."""
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    def is_paused() -> bool:
        return pausing.current is not None

    return ObeyPause
