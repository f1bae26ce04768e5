"""A job for duplicates: how far it is, and the pages of what it found."""

from collections.abc import Callable, Iterator

from lookalike.client.job import Job
from lookalike.client.transports.job_records import no_such_job
from lookalike.client.transports.transport import JobStatus, Transport
from lookalike.duplicates.groups import Group, Groups
from lookalike.messages import DuplicatesReply

# A first run over a large library.
PATIENCE_S = 24 * 3600.0


class DuplicatesJob(Job[DuplicatesReply]):
    """A job for duplicates. `result` waits for its summary; `groups` has what it found, read in pages as it is used.

    `status` has its `progress` and `eta_s`; `cancel` ends it also when it is under way, and what it compared is kept.
    """

    def __init__(self, sent: JobStatus, transport: Callable[[], Transport]) -> None:
        super().__init__(sent, transport, DuplicatesReply.model_validate, PATIENCE_S)

    def page(self, number: int = 0) -> Groups:
        """A page of up to 100 groups; `next` of it is the number of the next one. Kept for a week.

        Raises NoSuchJob before the job is done and for a page that is not there; Unreachable, Closed.
        """
        return groups_of(self._transport(), self.id, number)

    def groups(self) -> Iterator[Group]:
        """All groups, those with most bytes to save first; waits until the job is done. Raises what `result` raises."""
        self.result()
        yield from paged(self.page)


def groups_of(transport: Transport, job: str, number: int) -> Groups:
    """A page of what a job found. Raises NoSuchJob, Unreachable, Closed."""
    found = transport.groups(job, number)
    if found is None:
        raise no_such_job(f"{job} page {number}")
    return Groups.model_validate_json(found)


def paged(page: Callable[[int], Groups]) -> Iterator[Group]:
    """The groups of all pages."""
    number: int | None = 0
    while number is not None:
        found = page(number)
        yield from found.groups
        number = found.next
