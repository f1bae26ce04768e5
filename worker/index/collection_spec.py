"""The collection that is wanted, and the one that is open."""

from collections.abc import Collection
from dataclasses import dataclass

from qdrant_client.models import Distance as QdrantDistance

from lookalike.settings import Distance
from models.contract import ModelCard
from models.decoding import DECODER_REVISION
from worker.index.collection_options import STORE_DEFAULTS, CollectionOptions
from worker.index.identity import NO_COPIES, Identity, collection_name
from worker.index.payload import PAYLOAD_FORM
from worker.inference.providers import CPU

QDRANT_DISTANCES = {
    "cosine": QdrantDistance.COSINE,
    "dot": QdrantDistance.DOT,
    "euclid": QdrantDistance.EUCLID,
    "manhattan": QdrantDistance.MANHATTAN,
}


@dataclass(frozen=True)
class OpenCollection:
    """The collection of the index: its own name, what it was made for, and whether it was created just now."""

    name: str
    identity: Identity
    is_new: bool = False


@dataclass(frozen=True)
class CollectionSpec:
    """The index that is wanted. Where `library_id` is None, the index that exists tells the library."""

    system: str
    card: ModelCard
    distance: Distance
    library_id: str | None = None
    provider: str = CPU
    # Earlier ids of our library: their index may be dropped as well.
    former_ids: frozenset[str] = frozenset()
    options: CollectionOptions = STORE_DEFAULTS
    # The system whose index this one is to replace: its collection is named as one of that system.
    succeeds: str | None = None

    def identity(self, library_id: str) -> Identity:
        """The identity that the index of this library must record."""
        return Identity(
            library_id,
            self.card.name,
            self.card.fingerprint,
            self.distance,
            self.card.precision,
            self.provider,
            DECODER_REVISION,
            PAYLOAD_FORM,
            NO_COPIES if self.card.copy_dimension is None else str(self.card.copy_dimension),
        )

    def name(self, library_id: str) -> str:
        """The collection's own name for this library."""
        return collection_name(self.succeeds or self.system, library_id, self.card, self.distance)

    @property
    def own_ids(self) -> Collection[str]:
        """Ids of the libraries whose index may be dropped; only the former ones while our own is unknown."""
        return self.former_ids if self.library_id is None else {self.library_id, *self.former_ids}
