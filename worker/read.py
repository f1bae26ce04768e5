"""The read task: answers queries about the index; changes nothing."""

from dataclasses import dataclass

from lookalike.messages import CountsReply, FilesReply, ReadCounts, ReadKnown, ReadMessage
from models.contract import ModelCard
from worker.index.identity import Identity
from worker.index.qdrant import QdrantIndex
from worker.inference.providers import THREADS


@dataclass(frozen=True)
class ReadQueries:
    """The task's logic over one index."""

    index: QdrantIndex
    identity: Identity
    card: ModelCard

    def answer(self, message: ReadMessage) -> CountsReply | FilesReply:
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
                near=self.card.near,
                similar=self.card.similar,
            )
        if isinstance(query, ReadKnown):
            return FilesReply(files=list(self.index.get_files(query.paths).values()))
        return self.index.page(after=query.after, limit=query.limit, status=query.status, under=query.under)
