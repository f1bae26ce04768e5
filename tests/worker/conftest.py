"""A worker's equipment over the real store, a real small model and a library in a temporary folder."""

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Filter

from lookalike.library.reader import LibraryReader
from models.contract import read_card
from tests.support.edge import edge_process
from tests.support.tiny_model import tiny_model
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes
from worker.syncing.sync import Sync

MAX_PIXELS = 4_000_000
MAX_BYTES = 1_000_000


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", copies=True)


@pytest.fixture(scope="session")
def embedder(model: Path) -> Embedder:
    enable_formats()
    return Embedder(model, inference_batch=4)


@pytest.fixture(scope="session", params=["edge", "local"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantClient]:
    """Our server over the embedded engine, and qdrant-client's own local mode as a second opinion."""
    if request.param == "local":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Payload indexes have no effect in the local Qdrant")
            client = QdrantClient(":memory:")
            yield client
            client.close()
        return
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge:
        client = QdrantClient(url=edge.url, check_compatibility=False)
        yield client
        client.close()


@pytest.fixture(scope="session")
def collection(store: QdrantClient, model: Path) -> str:
    return ensure(store, CollectionSpec("tests", read_card(model), "cosine", library_id="the-library")).name


@pytest.fixture
def index(store: QdrantClient, collection: str) -> Iterator[QdrantIndex]:
    """Empty. Making a collection with its payload indexes takes a second or two, so they share one."""
    yield QdrantIndex(store, collection, vectors=("embedding", "copy"))
    store.delete(collection, points_selector=Filter(), wait=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(embedder: Embedder) -> Decodes:
    return lambda blob, box=None: decode_image(blob, embedder.card, box, max_pixels=MAX_PIXELS)


@dataclasses.dataclass
class Counts:
    """What the worker told the board."""

    embedded: int = 0
    finished: int = 0

    def add(self, embedded: int, finished: int) -> None:
        self.embedded += embedded
        self.finished += finished


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def sync(root: Path, index: QdrantIndex, embedder: Embedder, opened: Decodes, counts: Counts) -> Sync:
    return Sync(
        library=LibraryReader(root, max_bytes=MAX_BYTES),
        library_id="the-library",
        generation="the-generation",
        index=index,
        embedder=embedder,
        decode=opened,
        count_done=counts.add,
    )
