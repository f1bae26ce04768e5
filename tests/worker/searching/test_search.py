"""A search finds the query itself first, whatever the metric and wherever the query comes from."""

import base64
import dataclasses
from pathlib import Path

import pytest
from PIL import Image
from qdrant_client import QdrantClient

from lookalike.errors import Refused
from lookalike.library.reader import LibraryReader
from lookalike.messages import ImageByKey, ImageByPath, ImageInline, SearchExample, SearchMessage, SyncMessage
from lookalike.settings import Distance
from tests.support.pictures import draw, encoded, picture
from tests.worker.conftest import MAX_BYTES
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes
from worker.searching.search import Bounds, Search
from worker.syncing.sync import Sync

Asked = ImageByKey | ImageByPath | ImageInline
BOUNDS = Bounds(max_limit=50, max_query_bytes=100_000)
KEY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def queries() -> dict[str, bytes]:
    return {}


@pytest.fixture
def search(index: QdrantIndex, embedder: Embedder, opened: Decodes, queries: dict[str, bytes], root: Path) -> Search:
    return Search(
        index=index,
        embedder=embedder,
        decode=opened,
        read_query=queries.get,
        distance="cosine",
        dimensions=embedder.dimensions,
        bounds=BOUNDS,
        read_library=LibraryReader(root, max_bytes=MAX_BYTES).read,
    )


def by(image: Asked, *, limit: int = 10, path: str | None = None) -> SearchMessage:
    return SearchMessage(examples=[SearchExample(image=image, path=path)], limit=limit)


@pytest.fixture
def _indexed(sync: Sync, root: Path) -> None:
    (root / "bad.png").write_bytes(b"nothing")
    names = [draw(root / f"{seed}.png", seed).name for seed in range(12)]
    sync.sync_paths(SyncMessage(paths=[*names, "bad.png"]))


@pytest.mark.usefixtures("_indexed")
class TestQueries:
    def test_a_path_of_the_library(self, search: Search) -> None:
        reply = search.find_neighbours(by(ImageByPath(path="3.png"), limit=5))

        assert len(reply.neighbours) == 5
        assert reply.neighbours[0].path == "3.png"
        assert reply.neighbours[0].score >= 0.999
        assert [found.score for found in reply.neighbours] == sorted(
            (found.score for found in reply.neighbours), reverse=True
        )

    def test_bytes_beside_the_message(self, search: Search, queries: dict[str, bytes]) -> None:
        queries[KEY] = encoded(picture(3))

        assert search.find_neighbours(by(ImageByKey(key=KEY))).neighbours[0].path == "3.png"

    def test_bytes_in_the_message(self, search: Search) -> None:
        inline = base64.b64encode(encoded(picture(3))).decode()

        assert search.find_neighbours(by(ImageInline(base64=inline))).neighbours[0].path == "3.png"

    def test_the_payload_tells_what_the_file_is(self, search: Search, root: Path) -> None:
        payload = search.find_neighbours(by(ImageByPath(path="3.png"))).neighbours[0].payload

        assert payload["size_bytes"] == (root / "3.png").stat().st_size
        assert (payload["format"], payload["width_px"], payload["height_px"]) == ("PNG", 64, 48)
        assert payload["status"] == "indexed"

    @pytest.mark.parametrize("limit", [1, 12, 50])
    def test_rejected_files_are_never_found(self, search: Search, limit: int) -> None:
        reply = search.find_neighbours(by(ImageByPath(path="3.png"), limit=limit))

        assert len(reply.neighbours) == min(limit, 12)
        assert "bad.png" not in {found.path for found in reply.neighbours}

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            (ImageByPath(path="bad.png"), "rejected: it is not an image"),
            (ImageByPath(path="nowhere.png"), "neither a file here nor in the index"),
            (ImageByKey(key=KEY), "query image is gone"),
            (ImageInline(base64="!!!"), "not valid base64"),
            (ImageInline(base64=base64.b64encode(b"hello").decode()), "not an image of a known format"),
        ],
    )
    def test_a_query_at_fault_is_refused_with_the_reason(self, search: Search, image: Asked, said: str) -> None:
        with pytest.raises(Refused, match=said):
            search.find_neighbours(by(image))

    def test_a_file_of_the_library_that_is_too_large_is_searched_by_its_embedding(
        self, search: Search, queries: dict[str, bytes]
    ) -> None:
        many_pixels, many_bytes = encoded(Image.new("1", (4000, 2000))), bytes(100_001)

        for queries[KEY] in (many_pixels, many_bytes):
            assert search.find_neighbours(by(ImageByKey(key=KEY), path="3.png")).neighbours[0].path == "3.png"
            with pytest.raises(Refused, match=r"the limit is 4 million|at most 100000 are allowed"):
                search.find_neighbours(by(ImageByKey(key=KEY), path="new.png"))

    def test_a_file_of_the_library_that_is_broken_now_is_refused(
        self, search: Search, queries: dict[str, bytes]
    ) -> None:
        queries[KEY] = b"no picture any more"

        with pytest.raises(Refused, match="but text"):
            search.find_neighbours(by(ImageByKey(key=KEY), path="3.png"))

    def test_bounds_name_their_setting(self, search: Search, queries: dict[str, bytes]) -> None:
        queries[KEY] = bytes(100_001)

        with pytest.raises(Refused, match="LOOKALIKE_MAX_QUERY_BYTES"):
            search.find_neighbours(by(ImageByKey(key=KEY)))
        with pytest.raises(Refused, match="LOOKALIKE_MAX_LIMIT"):
            search.find_neighbours(by(ImageByPath(path="3.png"), limit=51))


@pytest.mark.parametrize("distance", ["cosine", "dot", "euclid", "manhattan"])
def test_every_metric_puts_the_best_first(
    store: QdrantClient, sync: Sync, search: Search, root: Path, distance: Distance, embedder: Embedder
) -> None:
    index = QdrantIndex(
        store,
        ensure(store, CollectionSpec(f"m-{distance}", embedder.card, distance, library_id="l"), rebuild=True).name,
    )
    names = [draw(root / f"{seed}.png", seed).name for seed in range(8)]
    dataclasses.replace(sync, index=index).sync_paths(SyncMessage(paths=names))

    ask = by(ImageByPath(path="5.png"), limit=8)
    found = dataclasses.replace(search, index=index, distance=distance).find_neighbours(ask).neighbours

    scores, similarities = [it.score for it in found], [it.similarity for it in found]
    assert found[0].path == "5.png"
    assert similarities[0] == pytest.approx(1, abs=1e-4)
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)
    assert scores == sorted(scores, reverse=distance in ("cosine", "dot"))
