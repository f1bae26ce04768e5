"""A job: one search or sync that was sent, whose answer can be fetched once."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from lookalike.argument_checks import seconds_given

Answer = TypeVar("Answer")


class Job(Generic[Answer]):
    """A sent job. `id` is the task id that Flower shows. One whose result is never asked for leaves nothing open."""

    def __init__(
        self,
        sent: str,
        fetch: Callable[[str, float], Any],
        read: Callable[[Any], Answer],
        patience_s: float,
    ) -> None:
        self._sent = sent
        self._fetch = fetch
        self._read = read
        self._patience_s = patience_s
        self._answer: Answer | None = None

    @property
    def id(self) -> str:
        """Id of the task."""
        return self._sent

    def result(self, timeout_s: float | None = None) -> Answer:
        """The answer; asking again returns the same one.

        Waits as long as the job may take if no timeout is given. Raises TimedOut if no answer came in
        time, Refused if the input is at fault, Unreachable if the broker is down, Closed if the client was closed.
        """
        if self._answer is None:
            patience_s = self._patience_s if timeout_s is None else seconds_given(timeout_s)
            self._answer = self._read(self._fetch(self._sent, patience_s))
        return self._answer
