"""Names of queues, tasks and Redis keys. Systems with different LOOKALIKE_NAMEs can share a broker."""

from dataclasses import dataclass

SYNC = "lookalike.sync"
SEARCH = "lookalike.search"
SEARCH_MANY = "lookalike.search_many"
READ = "lookalike.read"
THUMBNAIL = "lookalike.thumbnail"
VERDICT = "lookalike.verdict"
DUPLICATES = "lookalike.duplicates"
# No task of a worker: the name by which Flower shows a reindex.
REINDEX = "lookalike.reindex"
TASKS = (SYNC, SEARCH, SEARCH_MANY, READ, VERDICT, DUPLICATES, THUMBNAIL)
# Ends the name of the system that fills in a second generation, and of the alias that leads to it.
NEXT = "-next"


@dataclass(frozen=True)
class Keys:
    """Everything that carries the system's name.

    Celery's Redis transport keeps a queue in a list of the same name. Workers take from the ingest
    queues in sorted order, so `ingest` (what just changed) goes before `rescan` (what a scan found), and `search`
    before `thumbnails`.
    """

    system: str

    @property
    def ingest(self) -> str:
        """Queue of paths that just changed."""
        return f"{self.system}:ingest"

    @property
    def rescan(self) -> str:
        """Queue of paths that a scan found; waits behind `ingest`."""
        return f"{self.system}:rescan"

    @property
    def search(self) -> str:
        """Queue of searches and reads."""
        return f"{self.system}:search"

    @property
    def thumbnails(self) -> str:
        """Queue of thumbnails; waits behind `search`."""
        return f"{self.system}:thumbnails"

    @property
    def duplicates(self) -> str:
        """Queue of jobs for duplicates, which take long."""
        return f"{self.system}:duplicates"

    @property
    def queues(self) -> tuple[str, ...]:
        """All of them."""
        return self.ingest, self.rescan, self.search, self.thumbnails, self.duplicates

    def groups(self, job: str) -> str:
        """Redis hash: the pages of groups that a job for duplicates found (lookalike/broker/found_groups.py)."""
        return f"{self.system}:groups:{job}"

    @property
    def last_groups(self) -> str:
        """Redis string: the summary of the last job for duplicates over the whole library."""
        return f"{self.system}:groups"

    def query(self, key: str) -> str:
        """Redis string: the bytes of a query image, living as long as its message."""
        return f"{self.system}:query:{key}"

    def job(self, job: str) -> str:
        """Redis hash: what a client sent and how far it is (lookalike/client/transports/job_records.py)."""
        return f"{self.system}:job:{job}"

    @property
    def events(self) -> str:
        """Redis stream: what was indexed, rejected, removed (lookalike/broker/events.py)."""
        return f"{self.system}:events"

    @property
    def pause(self) -> str:
        """Redis string: ingest pauses, until when (lookalike/broker/pause.py)."""
        return f"{self.system}:pause"

    @property
    def metrics(self) -> str:
        """Redis hash: counters and histograms of the work (lookalike/broker/measurements.py)."""
        return f"{self.system}:metrics"

    @property
    def next(self) -> "Keys":
        """Those of the second generation of the index, while `reindex` fills it in."""
        return Keys(f"{self.system}{NEXT}")

    @property
    def reindex(self) -> str:
        """Redis hash: what `reindex` was asked for and how far it is (lookalike/broker/generations.py)."""
        return f"{self.system}:reindex"

    @property
    def served(self) -> str:
        """Redis string: the generation that is searched since the last switch."""
        return f"{self.system}:served"

    @property
    def coming(self) -> str:
        """Redis string: the generation that will be searched in a moment; expires."""
        return f"{self.system}:coming"

    @property
    def ready(self) -> str:
        """Redis set: the search processes that have loaded the coming generation."""
        return f"{self.system}:ready"

    @property
    def kept(self) -> str:
        """Redis string: the generation that was searched before the last switch."""
        return f"{self.system}:kept"

    @property
    def holders(self) -> str:
        """Redis set: the workers that may hold messages."""
        return f"{self.system}:holders"

    def lease(self, holder: str) -> str:
        """Redis string: lives as long as this worker renews it."""
        return f"{self.system}:lease:{holder}"

    def unacked(self, holder: str) -> str:
        """Redis hash: the messages that this worker holds unacknowledged."""
        return f"{self.system}:unacked:{holder}"

    def taken(self, tag: str) -> str:
        """Redis string: the message with this delivery tag was put back because its holder's lease had ended."""
        return f"{self.system}:taken:{tag}"
