"""The read task: answers queries about the index; changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from lookalike.messages import (
    CountsReply,
    FilesReply,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadSample,
    ReadVerdicts,
    SampleReply,
    VerdictsReply,
)
from worker.index.identity import Identity
from worker.index.qdrant import QdrantIndex
from worker.inference.providers import THREADS
from worker.sampling import sample


@dataclass(frozen=True)
class ReadQueries:
    """The task's logic over one index."""

    index: QdrantIndex
    identity: Identity
    max_sample_files: int
    verdicts: Callable[[ReadVerdicts], VerdictsReply]
    # Thresholds of the copy descriptor, as the model file has them.
    near: float | None = None
    similar: float | None = None

    def answer(self, message: ReadMessage) -> CountsReply | FilesReply | SampleReply | VerdictsReply:
        """The reply to a ReadMessage. Raises StoreUnavailable."""
        query = message.ask
        if isinstance(query, ReadCounts):
            return CountsReply(
                indexed=self.index.count("indexed"),
                rejected=self.index.count("rejected"),
                library=self.identity.library_id,
                model=self.identity.model,
                distance=self.identity.distance,
                backend=self.identity.provider,
                precision=self.identity.precision,
                threads=THREADS,
                generation=self.identity.generation,
                has_copies="copy" in self.identity.vectors,
                near=self.near,
                similar=self.similar,
            )
        if isinstance(query, ReadKnown):
            return FilesReply(files=list(self.index.get_files(query.paths).values()))
        if isinstance(query, ReadSample):
            return sample(self.index, query, self.max_sample_files)
        if isinstance(query, ReadVerdicts):
            return self.verdicts(query)
        return self.index.page(after=query.after, limit=query.limit, status=query.status, under=query.under)
