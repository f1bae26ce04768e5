"""Vectors of the generation before: those that a second generation need not compute once more.

A point of the same model may be copied, whatever the metric of its collection, unless the decoder reads its format
otherwise since. It must be of this version of the file, so nothing is read for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qdrant_client import QdrantClient

from lookalike.library.version import FileVersion
from lookalike.messages import KnownFile
from models.decoding.revisions import concerns, formats_changed
from worker.index.identity import Identity
from worker.index.payload import VECTORS, metadata_of, point_id
from worker.index.points import ReusableVectors, vector_in
from worker.index.qdrant import KNOWN_FIELDS, call_store


@dataclass(frozen=True)
class Donor:
    """A collection whose vectors the model of `wanted` computed."""

    client: QdrantClient
    collection: str
    wanted: Identity

    def vectors(self, versions: Mapping[str, FileVersion]) -> dict[str, ReusableVectors]:
        """Those of the files that it knows in this version, by path. Raises StoreUnavailable, StoreRefused."""
        records = call_store(
            self.client.retrieve,
            self.collection,
            ids=[point_id(path) for path in versions],
            with_payload=True,
            with_vectors=[VECTORS[by] for by in self.wanted.vectors],
        )
        found = {}
        for record in records:
            payload = record.payload or {}
            vectors = {by: vector for by in self.wanted.vectors if (vector := vector_in(record, by)) is not None}
            if payload.get("status") != "indexed" or len(vectors) < len(self.wanted.vectors):
                continue
            known = KnownFile.model_validate({name: payload[name] for name in KNOWN_FIELDS.include if name in payload})
            version = versions.get(known.path)
            if version is not None and known.describes(version) and self._is_comparable(payload):
                found[known.path] = ReusableVectors(metadata_of(payload), vectors)
        return found

    def _is_comparable(self, payload: Mapping[str, str]) -> bool:
        model, _, rest = payload["generation"].partition("-")
        revision = rest.partition("-")[0]
        formats = formats_changed(revision, self.wanted.decoder)
        return self.wanted.fingerprint.startswith(model) and not concerns(formats, payload["format"])


def donor_of(client: QdrantClient, current: tuple[str, Identity] | None, wanted: Identity) -> Donor | None:
    """The collection that is searched, if its vectors can be copied; None if all has to be computed."""
    if current is None or current[1].fingerprint != wanted.fingerprint or current[1].provider != wanted.provider:
        return None
    return Donor(client, current[0], wanted)


Donate = Callable[[Mapping[str, FileVersion]], Mapping[str, ReusableVectors]]
"""From the versions of files to the vectors that need not be computed, by path."""


def no_donor(_versions: Mapping[str, FileVersion]) -> Mapping[str, ReusableVectors]:
    """Of a first generation."""
    return {}
