"""Names of queues, tasks and Redis keys. Two systems with different LOOKALIKE_NAMEs share a broker in peace."""

from dataclasses import dataclass

SYNC = "lookalike.sync"
SEARCH = "lookalike.search"
READ = "lookalike.read"


@dataclass(frozen=True)
class Names:
    """Everything that carries the system's name.

    Celery's Redis transport keeps a queue in a list of the same name. Workers take from the ingest
    queues in sorted order, so `ingest` (what just changed) goes before `rescan` (what a scan found).
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

    def query(self, key: str) -> str:
        """Redis string: the bytes of a query image, living as long as its message."""
        return f"{self.system}:query:{key}"

    def slot(self, slot: str) -> str:
        """Redis hash: the messages that the worker in this slot holds unacknowledged."""
        return f"{self.system}:unacked:{slot}"

    @property
    def slots(self) -> str:
        """Redis set: the slots of ingest workers."""
        return f"{self.system}:slots"
