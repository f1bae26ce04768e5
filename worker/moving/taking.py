"""Takes a file of vectors into the index of this system, without inference: `lookalike import`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from qdrant_client import QdrantClient

from lookalike.errors import Refused
from lookalike.settings import Settings
from models.contract import ModelCard
from models.decoding import DECODER_REVISION
from worker.index.collection import ensure
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import CollectionSpec
from worker.index.identity import NO_COPIES, Identity
from worker.index.payload import PAYLOAD_FORM
from worker.index.qdrant import QdrantIndex, call_store
from worker.inference.embedder import card_at, dimensions_of, model_path
from worker.moving.collections import patiently
from worker.moving.export import Tell
from worker.moving.filling import fill
from worker.moving.header import Header
from worker.moving.rows import Reader
from worker.moving.verdicts import take_verdicts

OTHER_MODEL = "set LOOKALIKE_MODEL to the one that it is for, or let this one embed the library"


def take(settings: Settings, client: QdrantClient, reader: Reader, tell: Tell) -> dict[str, Any]:
    """Writes the file's rows into the index, which is made if there is none. Returns what was done.

    Raises Refused for vectors of another model, Misconfigured, CollectionMismatch, Unavailable, StoreRefused.
    """
    header = reader.header
    if header is None:
        raise Refused(
            "The file does not say which model made its vectors: if it is of another program, name that with --as."
        )
    card = card_at(model_path(settings))
    check_fit(header, card)
    spec = CollectionSpec(
        settings.name,
        card,
        settings.distance,
        library_id=settings.library_id,
        provider=header.identity.provider,
        options=CollectionOptions.of(settings),
    )
    opened = patiently(lambda: call_store(ensure, client, spec))
    index = QdrantIndex(
        client, opened.name, vectors=opened.identity.vectors, request_bytes=settings.store_request_bytes
    )
    filled = fill(
        index, reader.pages(), lambda done: tell(done, max(done, reader.count)), made_for(header, opened.identity)
    )
    verdicts = take_verdicts(settings, client, reader.verdicts())
    return {**asdict(filled), "collection": opened.name, "model": opened.identity.model, "verdicts": verdicts}


def check_fit(header: Header, card: ModelCard) -> None:
    """Raises Refused if vectors of the file cannot stand in one index with those that this model makes."""
    made = header.identity
    if made.fingerprint != card.fingerprint:
        raise Refused(
            f"The file has vectors of the model {made.model!r} ({made.fingerprint[:12]}), and the model here is "
            f"{card.name!r} ({card.fingerprint[:12]}): {OTHER_MODEL}."
        )
    if header.dimensions != dimensions_of(card) or (made.copies == NO_COPIES) != (card.copy_dimension is None):
        raise Refused(
            f"The file has vectors of {_lengths(header.dimensions)} numbers, and those of {card.name!r} have "
            f"{_lengths(dimensions_of(card))}: {OTHER_MODEL}."
        )
    for what, had, has in (
        ("decoder revision", made.decoder, DECODER_REVISION),
        ("payload form", made.payload, PAYLOAD_FORM),
    ):
        if had != has:
            raise Refused(
                f"The file was made with {what} {had!r}, and this version has {has!r}: export it with this version, "
                "or let it embed the library."
            )


def made_for(header: Header, identity: Identity) -> Any:
    """Makes the payload of a row of the file that of this index: with another metric it is another generation."""
    if header.identity.generation == identity.generation:
        return lambda payload: payload

    def change(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        is_of_it = payload.get("generation") == header.identity.generation
        return {**payload, "generation": identity.generation} if is_of_it else payload

    return change


def _lengths(dimensions: Mapping[Any, int]) -> str:
    return " and ".join(str(length) for length in dimensions.values())
