"""A job: one search or sync that was sent; it can be followed, cancelled, and its answer fetched once."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Generic, TypeVar

from lookalike.client.queries.argument_checks import seconds_given
from lookalike.client.transports.results import WorkerDied
from lookalike.client.transports.transport import JobStatus, Transport

Answer = TypeVar("Answer")


class Job(Generic[Answer]):
    """A sent job. `id` is the task id that Flower shows. One whose result is never asked for leaves nothing open.

    A search whose worker died is sent once more, and so may run twice; its `id` is another one then. `patience_s` is
    how long its answer is waited for unless its caller says otherwise.

    Another process finds it by `Client().job(id)`, until its answer was fetched or an hour has passed.
    """

    def __init__(
        self,
        sent: JobStatus,
        transport: Callable[[], Transport],
        read: Callable[[Any], Answer],
        patience_s: float,
        again: Callable[[float], JobStatus] | None = None,
    ) -> None:
        self._sent = sent
        self._transport = transport
        self._read = read
        self.patience_s = patience_s
        self._answer: Answer | None = None
        # Sends it once more, for so many seconds.
        self._again = again

    @property
    def id(self) -> str:
        """Id of the task."""
        return self._sent.id

    def status(self) -> JobStatus:
        """How far the job is: its `state` is queued, started, done, failed, cancelled or expired.

        Asks the broker. Raises NoSuchJob if another process fetched the answer, or if the job is too old; Unreachable,
        Closed.
        """
        if self._answer is not None:
            return replace(self._sent, state="done")
        return self._transport().job_status(self.id)

    def cancel(self) -> bool:
        """Cancels the job unless a worker has begun it; whether it is cancelled now. `result` raises Cancelled then.

        Raises NoSuchJob, Unreachable, Closed.
        """
        return self._answer is None and self._transport().cancel(self.id)

    def result(self, timeout_s: float | None = None) -> Answer:
        """The answer; asking again returns the same one.

        Waits as long as the job may take if no timeout is given. Raises TimedOut if no answer came in time, Cancelled,
        Refused if the input is at fault, Unreachable if the broker is down, Closed if the client was closed.
        """
        if self._answer is None:
            patience_s = self.patience_s if timeout_s is None else seconds_given(timeout_s)
            until_s = time.monotonic() + patience_s
            try:
                return self.accept(self._transport().answer(self.id, timeout_s=patience_s))
            except WorkerDied as died:
                left_s = self.send_again(died, until_s - time.monotonic())
                return self.accept(self._transport().answer(self.id, timeout_s=left_s))
        return self._answer

    def send_again(self, died: WorkerDied, left_s: float) -> float:
        """Sends a search whose worker died once more; the seconds that are left for it. Raises what it died with.

        It was acknowledged when it began, so no other worker has it. `id` is that of the second one from now on.
        """
        if self._again is None or left_s <= 0:
            raise died
        again, self._again = self._again, None
        self._sent = again(left_s)
        return left_s

    def future(self) -> Future[Any]:
        """The answer as JSON when it comes, for `accept`; what else asks for it meanwhile may get it in its place."""
        return self._transport().future(self.id)

    def accept(self, answer: Any) -> Answer:
        """The answer made of the JSON that its future had; `result` returns the same from now on."""
        self._answer = self._read(answer)
        return self._answer
