"""Waits for the answers of many jobs in one thread, each as a future: what asyncio awaits.

Celery's consumer of results does the listening, which threads that wait for an answer of their own share with it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from celery import Celery

from lookalike.broker.celery_overrides import Answer
from lookalike.client.transports.results import DIED, WorkerDied, broker_errors, read_answer, settle
from lookalike.errors import LookalikeError

# How long one look at the socket takes without a message, and so how late the end of the client is seen.
LOOK_S = 1.0
ORPHANS_EVERY_S = 2.0


class AnswerListener:
    """The futures of one transport. Its thread starts with the first of them and rests while none is open.

    `forget` removes jobs whose answers were handed over from the broker, `orphans` finds those whose worker died.
    Raises Unreachable, Closed, WorkerDied, through futures.
    """

    def __init__(
        self,
        app: Celery,
        *,
        forget: Callable[[Sequence[str]], None],
        orphans: Callable[[Sequence[str]], Sequence[str]],
        check_open: Callable[[], None],
    ) -> None:
        self._app = app
        self._orphans = orphans
        self._next_look_s = 0.0
        self._forget = forget
        self._check_open = check_open
        self._changed = threading.Condition()
        self._open: dict[Future[Any], Answer] = {}
        self._ready: list[tuple[Future[Any], Answer]] = []
        self._thread: threading.Thread | None = None

    def future(self, job: str) -> Future[Any]:
        """The answer of the job as JSON when it comes, or the error. A future that is cancelled waits no more.

        Subscribes, which is a request to the broker. Raises Unreachable, Closed.
        """
        answer, future = Answer(job, app=self._app), Future[Any]()
        try:
            with broker_errors(self._check_open):
                # In this order: an answer that came before the subscription is stored.
                answer.then(lambda _: self._note(future, answer))
                self._app.backend.result_consumer.on_wait_for_pending(answer)
        except LookalikeError:
            self._unsubscribe(answer)
            raise
        with self._changed:
            # Not before the subscription, without which Celery's consumer sleeps.
            self._open[future] = answer
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="lookalike-answers", daemon=True)
                self._thread.start()
            self._changed.notify()
        future.add_done_callback(self._withdraw)
        self._hand_over()
        return future

    def close(self) -> None:
        """Ends the thread; what is open raises Closed. Called when the transport is closed already."""
        with self._changed:
            self._changed.notify()
        self._fail_all()

    def _listen(self) -> None:
        while self._await_work():
            try:
                with broker_errors(self._check_open):
                    self._app.backend.result_consumer.drain_events(timeout=LOOK_S)
            except TimeoutError:
                pass
            except Exception:  # noqa: BLE001 (ours, and whatever a socket raises that is closed under who waits)
                self._fail_all()
            self._hand_over()
            self._fail_orphans()

    def _fail_orphans(self) -> None:
        """Tells those that wait for a worker which died, every few seconds."""
        if time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + ORPHANS_EVERY_S
        with self._changed:
            waiting = {answer.id: future for future, answer in self._open.items()}
        for job in self._orphans([*waiting]) if waiting else ():
            settle(waiting[job], WorkerDied(DIED))

    def _await_work(self) -> bool:
        """Waits until a future is open; False when the transport is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._is_closed())
        return not self._is_closed()

    def _note(self, future: "Future[Any]", answer: Answer) -> None:
        """Called by the thread that read the answer from the socket, which may be any that waits."""
        with self._changed:
            self._ready.append((future, answer))

    def _hand_over(self) -> None:
        with self._changed:
            ready, self._ready = self._ready, []
        done = []
        for future, answer in ready:
            try:
                outcome = read_answer(answer.result)
            except LookalikeError as error:
                # It stays at the broker, for everybody who asks.
                settle(future, error)
            else:
                done.append(answer.id)
                settle(future, outcome)
        if done:
            with suppress(LookalikeError):
                self._forget(done)

    def _fail_all(self) -> None:
        """Tells all that wait why nothing comes: the broker does not answer, or the client was closed."""
        with self._changed:
            waiting = [*self._open]
        for future in waiting:
            try:
                with broker_errors(self._check_open):
                    raise ConnectionError("it went away while an answer was awaited")
            except LookalikeError as error:
                settle(future, error)

    def _withdraw(self, future: "Future[Any]") -> None:
        with self._changed:
            answer = self._open.pop(future, None)
        if answer is not None:
            self._unsubscribe(answer)

    def _unsubscribe(self, answer: Answer) -> None:
        with suppress(LookalikeError), broker_errors(self._check_open):
            self._app.backend.remove_pending_result(answer)

    def _is_closed(self) -> bool:
        try:
            self._check_open()
        except LookalikeError:
            return True
        return False
