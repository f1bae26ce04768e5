"""Many searches that were asked for together: sent as few messages, a few ahead of the answers that are read."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lookalike.client.job import Job
from lookalike.client.queries.argument_checks import seconds_given
from lookalike.client.queries.queries import Pack
from lookalike.client.transports.results import CANCELLED
from lookalike.errors import Cancelled, Refused
from lookalike.messages import SearchManyReply
from lookalike.search.neighbour import Neighbour, Neighbours

# While the answer to one message is read, the next is worked on.
SENT_AHEAD = 2


@dataclass(frozen=True)
class Answer:
    """The answer to one of many queries: its neighbours, or why it was refused."""

    neighbours: Neighbours = field(default_factory=Neighbours)
    error: Refused | None = None


class Searches:
    """The answers to many queries, in their order. Iterating waits for each; iterating again does not ask again.

    A query that is at fault has an `error` and leaves the others alone. Raises while iterating what `Job.result` does,
    but for Refused. To be used by one thread at a time.
    """

    def __init__(self, total: int, packs: Iterator[Pack], send: Callable[[Pack], Job[list[Answer]]]) -> None:
        self._total = total
        self._packs = packs
        self._send = send
        self._sent: deque[tuple[Pack, Job[list[Answer]] | None]] = deque()
        self._answers: list[Answer] = []
        self.jobs: list[Job[list[Answer]]] = []
        self._send_ahead()

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[Answer]:
        at = 0
        while at < self._total:
            while at >= len(self._answers):
                if not self.read_next(None):
                    return
            yield self._answers[at]
            at += 1

    @property
    def progress(self) -> float:
        """The share of queries whose answers were read, from 0 to 1."""
        return len(self._answers) / self._total if self._total else 1.0

    def result(self, timeout_s: float | None = None) -> list[Answer]:
        """All answers; each message may take as long as a search may, or `timeout_s`.

        Raises TimedOut, Cancelled, Unreachable, Closed; what was read before can be iterated then.
        """
        patience_s = None if timeout_s is None else seconds_given(timeout_s)
        while self.read_next(patience_s):
            pass
        return [*self._answers]

    def cancel(self) -> bool:
        """Sends no more, and cancels what no worker has begun; whether nothing is worked on any more.

        Raises Unreachable, Closed. Iterating raises Cancelled at the first answer that will not come.
        """
        self._packs = iter(())
        cancelled = [job.cancel() for _, job in self._sent if job is not None]
        return all(cancelled)

    @property
    def next_job(self) -> Job[list[Answer]] | None:
        """The job that `read_next` waits for, if it waits for one: by its future it can be awaited before."""
        return self._sent[0][1] if self._sent else None

    def read_next(self, timeout_s: float | None = None) -> bool:
        """Reads the answers of one message; whether there was one."""
        if not self._sent:
            if len(self._answers) < self._total:
                raise Cancelled(CANCELLED)
            return False
        pack, job = self._sent[0]
        answers = iter([] if job is None else job.result(timeout_s))
        self._sent.popleft()
        for place in range(pack.size):
            fault = pack.faults.get(place)
            self._answers.append(next(answers) if fault is None else Answer(error=fault))
        self._send_ahead()
        return True

    def _send_ahead(self) -> None:
        while len(self._sent) < SENT_AHEAD and (pack := next(self._packs, None)) is not None:
            job = self._send(pack) if pack.queries else None
            self._sent.append((pack, job))
            if job is not None:
                self.jobs.append(job)


def answers_of(reply: Any, make: Callable[[list[Neighbour], str | None], Neighbours] = Neighbours) -> list[Answer]:
    """The answers in a worker's reply, the neighbours and note of each made to what a search returns."""
    return [
        Answer(make(one.neighbours, one.note), None if one.error is None else Refused(one.error))
        for one in SearchManyReply.model_validate(reply).replies
    ]
