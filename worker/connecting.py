"""What a worker process is made of, from the settings: the model, and clients of the store. Nothing connects here."""

import os
import warnings
from pathlib import Path
from typing import Protocol

import httpx
from qdrant_client import QdrantClient

from lookalike.broker.app import redis_of
from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.library.kinds import Reader
from lookalike.library.opening import objects_of, reader_of
from lookalike.settings import Settings
from lookalike.system.store_access import store_access
from models.contract import ModelCard
from worker.index.collection import recorded_provider
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import CollectionSpec
from worker.index.opener import IndexOpener
from worker.index.qdrant import call_store
from worker.inference.decoder import enable_formats
from worker.inference.embedder import Embedder, model_path
from worker.retry_budget import retry_while_unavailable

STORE_TIMEOUT_S = 30
# Without limits of ours qdrant-client opens a connection for each request to this machine. Idle ones are closed
# before servers close them, which mostly is after 5 s.
CONNECTION_LIMITS = httpx.Limits(keepalive_expiry=4.0)


def qdrant_of(settings: Settings) -> QdrantClient:
    """A client of the store. Raises Misconfigured if no store is named, or none can be reached so."""
    if settings.qdrant_url is None:
        raise Misconfigured("QDRANT_URL is not set: name a Qdrant, or let `lookalike up FOLDER` start one.")
    key = settings.qdrant_api_key
    access = store_access(settings.qdrant_url, os.environ, settings.qdrant_ca)
    arguments = access.http_arguments()
    if settings.qdrant_grpc:
        # They would be sent over gRPC too, which has an encoding of its own.
        del arguments["headers"]
    with warnings.catch_warnings():
        # It warns of a key sent without TLS: loopback is private, and elsewhere the URL is the operator's decision.
        warnings.simplefilter("ignore")
        return QdrantClient(
            url=access.url,
            api_key=None if key is None else key.get_secret_value(),
            timeout=STORE_TIMEOUT_S,
            prefer_grpc=settings.qdrant_grpc,
            grpc_port=settings.qdrant_grpc_port,
            grpc_options=access.grpc_options() if settings.qdrant_grpc else None,
            limits=CONNECTION_LIMITS,
            check_compatibility=False,
            **arguments,
        )


def library_root(settings: Settings) -> Path | BucketAddress:
    """Where the library is. Raises Misconfigured if none is named, or a bucket cannot be asked as things are set."""
    if settings.library is None:
        raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images, or s3://bucket/prefix.")
    if isinstance(settings.library, BucketAddress):
        objects_of(settings, settings.library).check()
    return settings.library


def library_reader(settings: Settings) -> Reader:
    """What reads the library's files. Raises Misconfigured if none is named."""
    library_root(settings)
    reader = reader_of(settings)
    assert reader is not None  # noqa: S101 (for the type checker)
    return reader


def load_embedder(settings: Settings, provider: str, *, rests_after_s: float | None = None) -> Embedder:
    """The model, loaded and ready; given up after so many seconds without use. Raises Misconfigured."""
    enable_formats()
    return Embedder(
        model_path(settings),
        inference_batch=settings.inference_batch,
        provider=provider,
        rests_after_s=rests_after_s,
    )


def provider_of_index(settings: Settings) -> str | None:
    """The provider that the index was made with; None if there is no index. Waits for the store without end."""
    client = qdrant_of(settings)
    found = retry_while_unavailable(lambda: call_store(recorded_provider, client, settings.name), for_s=float("inf"))
    client.close()
    return found


class KnowsModel(Protocol):
    """What an index has to fit: the card of a model, and what computes it. An Embedder is one."""

    @property
    def card(self) -> ModelCard:
        """The card of the model."""

    @property
    def provider(self) -> str:
        """The execution provider, which the index records."""


def opener_of(settings: Settings, embedder: KnowsModel) -> IndexOpener:
    """The opener of the index of these settings, with connections of its own."""
    spec = CollectionSpec(
        settings.name,
        embedder.card,
        settings.distance,
        library_id=settings.library_id,
        provider=embedder.provider,
        options=CollectionOptions.of(settings),
        succeeds=settings.succeeds,
    )
    return IndexOpener(qdrant_of(settings), redis_of(settings), settings.keys, spec)
