"""Several examples, boxes, pages, filters and thresholds, on both stores; the vectors are those of a real model."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from qdrant_client import QdrantClient

from lookalike.errors import Refused
from lookalike.library.reader import LibraryReader
from lookalike.messages import SearchManyMessage, SearchMessage, SyncMessage
from lookalike.settings import Distance
from tests.support.edge import edge_process
from tests.support.faulty.recorder import recorded
from tests.support.pictures import draw, encoded, picture
from tests.worker.conftest import MAX_BYTES
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes
from worker.searching.search import Bounds, Search
from worker.syncing.sync import Sync
from worker.syncing.sync_batch import Embeds

KEYS = [f"00000000-0000-4000-8000-{number:012}" for number in range(3)]
COUNT = 12
BOUNDS = Bounds(max_limit=50, max_query_bytes=100_000)


@dataclasses.dataclass
class CountedRuns:
    """The embedder, and how often it was called."""

    inner: Embeds
    images: list[int] = dataclasses.field(default_factory=list)

    def describe(self, images: Any, *before: Any) -> Any:
        self.images.append(len(images))
        return self.inner.describe(images, *before)


@pytest.fixture
def uploads() -> dict[str, bytes]:
    return {}


@pytest.fixture
def search(index: QdrantIndex, embedder: Embedder, opened: Decodes, root: Path, uploads: dict[str, bytes]) -> Search:
    reader = LibraryReader(root, max_bytes=MAX_BYTES)
    return Search(index, embedder, opened, uploads.get, "cosine", embedder.dimensions, BOUNDS, reader.read)


@pytest.fixture
def indexed(sync: Sync, root: Path) -> list[str]:
    names = [draw(root / ("odd" if seed % 2 else "even") / f"{seed}.png", seed) for seed in range(COUNT)]
    (root / "odd" / "wide.jpg").write_bytes(encoded(picture(99, (128, 48)), "JPEG"))
    paths = [*(name.relative_to(root).as_posix() for name in names), "odd/wide.jpg"]
    sync.sync_paths(SyncMessage(paths=paths))
    return paths


def ask(search: Search, *examples: dict[str, Any], **fields: Any) -> dict[str, float]:
    message = SearchMessage.model_validate({"examples": examples, "limit": 50, **fields})
    return {found.path: found.score for found in search.find_neighbours(message).neighbours}


def path(name: str, weight: float = 1.0, box: Any = None) -> dict[str, Any]:
    return {"image": {"path": name}, "weight": weight, "box": box}


def test_weighted_and_negative_examples_are_ranked_as_numpy_ranks_them(
    search: Search, index: QdrantIndex, indexed: list[str], uploads: dict[str, bytes], root: Path
) -> None:
    uploads[KEYS[0]] = (root / indexed[5]).read_bytes()
    vectors = {name: np.array(vector) for name, vector in index.vectors_of(indexed).items()}

    found = ask(search, path(indexed[1]), path(indexed[2], -0.4), {"image": {"key": KEYS[0]}, "weight": 0.7})

    query = vectors[indexed[1]] - 0.4 * vectors[indexed[2]] + 0.7 * vectors[indexed[5]]
    query /= np.linalg.norm(query)
    wanted = {name: float(query @ vector) for name, vector in vectors.items()}
    assert found == pytest.approx(wanted, abs=1e-5)
    assert list(found) == sorted(wanted, key=lambda name: -wanted[name])


def test_all_uploads_are_one_call_of_the_model_and_all_paths_one_request(
    embedder: Embedder, opened: Decodes, sync: Sync, root: Path, tmp_path: Path
) -> None:
    runs = CountedRuns(embedder)
    uploads = {key: encoded(picture(seed)) for seed, key in enumerate(KEYS)}
    with edge_process(tmp_path / "store") as edge, recorded(edge.url) as (url, asked):
        client = QdrantClient(url=url, check_compatibility=False)
        spec = CollectionSpec("counted", embedder.card, "cosine", library_id="the-library")
        index = QdrantIndex(client, ensure(client, spec).name)
        names = [draw(root / f"{seed}.png", seed).name for seed in range(4)]
        dataclasses.replace(sync, index=index).sync_paths(SyncMessage(paths=names))
        asked.clear()
        search = Search(index, runs, opened, uploads.get, "cosine", embedder.dimensions, BOUNDS)

        found = ask(search, *map(path, names), *({"image": {"key": key}} for key in KEYS), limit=4)
        alone = [*asked]
        asked.clear()
        singles = [{"examples": [path(name)]} for name in names] + [
            {"examples": [{"image": {"key": key}}]} for key in KEYS
        ]
        many = search.find_many(SearchManyMessage.model_validate({"queries": singles}))
        client.close()

    assert len(found) == 4
    assert runs.images == [3, 3]
    assert [each.path.rpartition("/")[2] for each in alone] == ["points", "query"]
    assert len(json.loads(alone[0].body)["ids"]) == 4
    assert [len(reply.neighbours) for reply in many.replies] == [4] * 7
    assert [each.path.rpartition("/")[2] for each in asked] == ["points", "batch"]
    assert len(json.loads(asked[1].body)["searches"]) == 7


def test_what_leads_nowhere_is_refused(search: Search, indexed: list[str]) -> None:
    with pytest.raises(Refused, match="cancel each other out"):
        ask(search, path(indexed[0]), path(indexed[0], -1.0))
    with pytest.raises(Refused, match=r"'nowhere.png' is neither a file here nor in the index"):
        ask(search, path(indexed[0]), path("nowhere.png"))


def test_uploads_of_one_search_share_one_bound(search: Search, uploads: dict[str, bytes], indexed: list[str]) -> None:
    picture_bytes = encoded(picture(1))
    uploads |= dict.fromkeys(KEYS, picture_bytes)
    few = dataclasses.replace(search, bounds=Bounds(max_query_bytes=2 * len(picture_bytes)))
    example = [{"image": {"key": key}} for key in KEYS]

    assert len(ask(few, *example[:2])) == len(indexed)
    with pytest.raises(Refused, match="LOOKALIKE_MAX_QUERY_BYTES"):
        ask(few, *example)


class TestBoxes:
    @pytest.fixture
    def framed(self, root: Path) -> bytes:
        """A photo turned on its side by its orientation; upright its right lower quarter is picture 3."""
        upright = Image.new("RGB", (1280, 960), "white")
        upright.paste(picture(3, (640, 480)), (640, 480))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        blob = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
        (root / "framed.jpg").write_bytes(blob)
        return blob

    def test_of_an_upload_and_of_a_path_it_is_what_is_embedded(
        self, search: Search, uploads: dict[str, bytes], indexed: list[str], framed: bytes
    ) -> None:
        uploads[KEYS[0]] = framed
        quarter = [0.5, 0.5, 1, 1]

        for image in ({"key": KEYS[0]}, {"path": "framed.jpg"}):
            found = ask(search, {"image": image, "box": quarter})
            assert next(iter(found)) == indexed[3]
            assert found[indexed[3]] > 0.99
            whole = ask(search, {"image": {"key": KEYS[0]}})
            assert whole[indexed[3]] < 0.99

    def test_of_a_path_without_a_library_is_refused_with_the_remedy(self, search: Search, tmp_path: Path) -> None:
        without = dataclasses.replace(search, read_library=None)
        unmounted = dataclasses.replace(search, read_library=LibraryReader(tmp_path / "no", max_bytes=1).read)

        for blind in (without, unmounted):
            with pytest.raises(Refused, match="let the search worker read the library, or send the image itself"):
                ask(blind, path("a.png", box=[0, 0, 1, 0.5]))

    def test_of_a_path_that_is_no_image_is_refused(self, search: Search, root: Path) -> None:
        (root / "bad.png").write_bytes(b"nothing")

        with pytest.raises(Refused, match="not an image of a known format"):
            ask(search, path("bad.png", box=[0, 0, 1, 0.5]))
        with pytest.raises(Refused, match="neither a file here nor in the index"):
            ask(search, path("nowhere.png", box=[0, 0, 1, 0.5]))


@pytest.mark.parametrize("size", [1, 5, 13])
def test_pages_tile_the_list(search: Search, indexed: list[str], size: int) -> None:
    whole = list(ask(search, path(indexed[0])))

    pages = [[*ask(search, path(indexed[0]), limit=size, offset=start)] for start in range(0, len(whole) + size, size)]

    assert [name for page in pages for name in page] == whole
    assert len(whole) == len(indexed)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"folder": "odd"}, [*(f"odd/{seed}.png" for seed in range(1, COUNT, 2)), "odd/wide.jpg"]),
        ({"folder": "odd", "format": "jpeg"}, ["odd/wide.jpg"]),
        ({"width_px": 128}, ["odd/wide.jpg"]),
        ({"width_px": {"lte": 127}, "folder": "even"}, [f"even/{seed}.png" for seed in range(0, COUNT, 2)]),
        ({"height_px": {"gte": 49}}, []),
        ({"size_bytes": {"gte": 1, "lte": 2**40}, "format": "JPEG"}, ["odd/wide.jpg"]),
        ({"indexed_at": {"gte": "2020"}, "format": "JPEG"}, ["odd/wide.jpg"]),
        ({"indexed_at": {"lte": "2020"}}, []),
        ({"taken_at": {"gte": "1900"}}, []),
        ({"folder": "od"}, []),
    ],
)
def test_only_what_the_filter_describes_is_found(
    search: Search, indexed: list[str], wanted: dict[str, Any], names: list[str]
) -> None:
    assert sorted(ask(search, path(indexed[0]), filter=wanted)) == sorted(names)


def test_a_day_of_the_cameras_clock_is_a_filter(search: Search, sync: Sync, root: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:31 23:30:00"
    (root / "may.jpg").write_bytes(encoded(picture(1), "JPEG", exif=exif))
    sync.sync_paths(SyncMessage(paths=["may.jpg"]))

    for wanted in ("2024", "2024-05", "2024-05-31", {"gte": "2024-05-31", "lte": "2024-05-31"}, "2024-05-31T23:30:00"):
        assert list(ask(search, path("may.jpg"), filter={"taken_at": wanted})) == ["may.jpg"]
    for wanted in ("2024-06", {"lte": "2024-05-30"}, "2024-05-31T23:30:01"):
        assert not ask(search, path("may.jpg"), filter={"taken_at": wanted})


@pytest.mark.parametrize("distance", ["cosine", "dot", "euclid", "manhattan"])
def test_the_threshold_keeps_what_is_nearer_in_every_metric(
    store: QdrantClient, sync: Sync, search: Search, root: Path, distance: Distance, embedder: Embedder
) -> None:
    spec = CollectionSpec(f"threshold-{distance}", embedder.card, distance, library_id="l")
    index = QdrantIndex(store, ensure(store, spec, rebuild=True).name)
    names = [draw(root / f"{seed}.png", seed).name for seed in range(8)]
    dataclasses.replace(sync, index=index).sync_paths(SyncMessage(paths=names))
    search = dataclasses.replace(search, index=index, distance=distance)
    whole = ask(search, path("5.png"))
    third, fourth = list(whole.values())[2:4]

    kept = ask(search, path("5.png"), score_threshold=(third + fourth) / 2)

    assert list(kept) == list(whole)[:3]
