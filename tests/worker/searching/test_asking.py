"""What a query may ask beside its examples, on both stores: ids, vectors, pixels, similarity, copies, patterns."""

import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from qdrant_client import QdrantClient

from lookalike.errors import Refused
from lookalike.library.reader import LibraryReader
from lookalike.messages import SearchManyMessage, SearchMessage, SearchReply, SyncMessage
from lookalike.search.neighbour import Neighbour
from lookalike.settings import Distance
from tests.support.pictures import draw, encoded, picture
from tests.worker.conftest import MAX_BYTES
from worker.index import searching
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import point_id
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes
from worker.searching.search import Bounds, Search
from worker.syncing.sync import Sync

KEY = "00000000-0000-4000-8000-000000000000"
NAMES = [*(f"a/{seed}.png" for seed in range(6)), "b/wide.jpg", "b/tall.jpg", "copies/2.png", "copies/x/2 again.png"]
BOUNDS = Bounds(max_limit=50, max_query_bytes=100_000, max_batch_queries=4, max_batch_neighbours=100)


@pytest.fixture
def uploads() -> dict[str, bytes]:
    return {}


@pytest.fixture
def search(index: QdrantIndex, embedder: Embedder, opened: Decodes, root: Path, uploads: dict[str, bytes]) -> Search:
    reader = LibraryReader(root, max_bytes=MAX_BYTES)
    return Search(index, embedder, opened, uploads.get, "cosine", embedder.dimensions, BOUNDS, reader.read)


@pytest.fixture(autouse=True)
def _indexed(sync: Sync, root: Path) -> None:
    for seed in range(6):
        draw(root / f"a/{seed}.png", seed)
    for name in ("copies/2.png", "copies/x/2 again.png", "b/wide.jpg", "b/tall.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((root / "a/2.png").read_bytes())
    (root / "b/wide.jpg").write_bytes(encoded(picture(98, (128, 48)), "JPEG"))
    (root / "b/tall.jpg").write_bytes(encoded(picture(99, (48, 128)), "JPEG"))
    sync.sync_paths(SyncMessage(paths=NAMES))


def message(*examples: Any, **fields: Any) -> SearchMessage:
    made = [{"image": {"path": one}} if isinstance(one, str) else one for one in examples]
    return SearchMessage.model_validate({"examples": made, "limit": 50, **fields})


def ask(search: Search, *examples: Any, **fields: Any) -> list[Neighbour]:
    return search.find_neighbours(message(*examples, **fields)).neighbours


def names(search: Search, *examples: Any, **fields: Any) -> list[str]:
    return [found.path for found in ask(search, *examples, **fields)]


def test_a_point_id_and_a_vector_ask_as_their_path_does(search: Search, index: QdrantIndex) -> None:
    whole = ask(search, "a/3.png")
    vector = index.vector_of("a/3.png")
    assert vector is not None

    by_id = ask(search, {"image": {"id": whole[0].id}})
    by_vector = ask(search, {"image": {"vector": [*(np.array(vector) * 7)]}})

    assert whole[0].id == point_id("a/3.png")
    for found in (by_id, by_vector):
        assert found[0].path == "a/3.png"
        assert {it.path: it.score for it in found} == pytest.approx({it.path: it.score for it in whole}, abs=1e-6)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"id": KEY}, f"There is no image with the id '{KEY}' in the index"),
        ({"vector": [1.0, 2.0]}, "The vector has 2 numbers, and those of the index have 24"),
        ({"vector": [0.0] * 24}, "The vector has no direction: all its numbers are 0"),
    ],
)
def test_what_is_not_there_or_of_another_dimension_is_refused(search: Search, image: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        ask(search, {"image": image})


def test_a_box_in_pixels_is_that_part_of_the_upright_picture(
    search: Search, uploads: dict[str, bytes], root: Path
) -> None:
    upright = Image.new("RGB", (1280, 960), "white")
    upright.paste(picture(3, (640, 480)), (640, 480))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blob = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    uploads[KEY] = blob
    (root / "framed.jpg").write_bytes(blob)

    for image in ({"key": KEY}, {"path": "framed.jpg"}):
        assert names(search, {"image": image, "box_px": [640, 480, 1280, 960]})[0] == "a/3.png"
        with pytest.raises(Refused, match=r"\[0, 0, 1281, 960\] reaches outside the picture, which is 1280 x 960"):
            ask(search, {"image": image, "box_px": [0, 0, 1281, 960]})


def test_copies_are_in_order_of_their_paths_and_pages_tile(search: Search) -> None:
    found = ask(search, "a/2.png")
    whole = [it.path for it in found]

    # In the local mode the scores of copies may differ in the last bit.
    assert found == sorted(found, key=lambda it: (-it.score, it.path))
    assert sorted(whole[:3]) == ["a/2.png", "copies/2.png", "copies/x/2 again.png"]
    for size in (1, 2, 3):
        pages = [names(search, "a/2.png", limit=size, offset=at) for at in range(0, len(whole) + size, size)]
        assert [name for page in pages for name in page] == whole


def test_copies_are_one_neighbour_with_all_paths(search: Search) -> None:
    copies = ("a/2.png", "copies/2.png", "copies/x/2 again.png")
    whole = ask(search, "a/3.png", group_exact=True)

    (first,) = [it for it in whole if it.path in copies]

    assert (first.paths, first.path) == (copies, next(path for path in names(search, "a/3.png") if path in copies))
    assert all(it.paths == (it.path,) for it in whole if it is not first)
    assert len(whole) == len(NAMES) - 2
    assert all(it.payload["path"] == it.path for it in whole)
    for size in (1, 2, 5):
        pages = [ask(search, "a/3.png", group_exact=True, limit=size, offset=at) for at in range(0, 12, size)]
        assert [it for page in pages for it in page] == whole
    # The filter chooses which is found, and all its copies are named.
    (found,) = ask(search, "a/2.png", group_exact=True, filter={"folder": "copies"})
    assert (found.path.startswith("copies/"), found.paths) == (True, copies)


def test_the_examples_own_file_and_its_copies_are_left_out(
    search: Search, uploads: dict[str, bytes], root: Path
) -> None:
    uploads[KEY] = (root / "copies/2.png").read_bytes()
    of_two = sorted(set(NAMES) - {"a/2.png", "copies/2.png", "copies/x/2 again.png"})

    assert sorted(names(search, "a/2.png", exclude_self=True)) == of_two
    assert sorted(names(search, {"image": {"id": point_id("copies/2.png")}}, exclude_self=True)) == of_two
    assert sorted(names(search, {"image": {"key": KEY}}, exclude_self=True)) == of_two
    assert sorted(names(search, {"image": {"path": "a/2.png"}, "box": [0, 0, 1, 0.5]}, exclude_self=True)) == of_two
    uploads[KEY] = encoded(picture(2), "JPEG")
    changed = {"image": {"key": KEY}, "path": "a/2.png"}
    assert sorted(names(search, changed, exclude_self=True)) == sorted(set(NAMES) - {"a/2.png"})
    assert sorted(names(search, "a/2.png", "a/3.png", exclude_self=True)) == sorted(set(of_two) - {"a/3.png"})


def test_nothing_similar_enough_is_an_answer(search: Search) -> None:
    def said(**fields: Any) -> SearchReply:
        return search.find_neighbours(message("a/3.png", **fields))

    assert said().note is None
    assert "Nothing is similar enough" in str(said(min_similarity=1.0, exclude_self=True).note)
    assert "among the files that the filter" in str(said(min_similarity=1.0, filter={"folder": "b"}).note)
    assert "No image in the index is what the filter" in str(said(filter={"folder": "c"}).note)
    assert "nothing after the first 40" in str(said(offset=40).note)
    assert said(filter={"path": "nowhere/*"}).neighbours == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["b/tall.jpg", "b/wide.jpg"]),
        ("2*.png", ["a/2.png", "copies/2.png", "copies/x/2 again.png"]),
        ("copies/*.png", ["copies/2.png"]),
        ("copies/**", ["copies/2.png", "copies/x/2 again.png"]),
        ("x/", ["copies/x/2 again.png"]),
        ("/a/[0-2].png", ["a/0.png", "a/1.png", "a/2.png"]),
    ],
)
def test_a_pattern_of_paths_is_a_filter(search: Search, pattern: str, found: list[str]) -> None:
    assert sorted(names(search, "a/3.png", filter={"path": pattern})) == found
    assert sorted(names(search, "a/3.png", filter={"path": pattern, "format": "PNG"})) == [
        name for name in found if name.endswith("png")
    ]


def test_a_pattern_that_matches_too_much_is_refused_with_a_better_way(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(search, bounds=dataclasses.replace(BOUNDS, max_pattern_files=3))

    assert len(names(few, "a/3.png", filter={"path": "2*.png"})) == 3
    with pytest.raises(Refused, match=r"matches more than 3 files \(LOOKALIKE_MAX_PATTERN_FILES\): name a folder"):
        ask(few, "a/3.png", filter={"path": "*.png"})
    fewer = dataclasses.replace(search, bounds=dataclasses.replace(BOUNDS, max_pattern_files=1))
    monkeypatch.setattr(searching, "LOOKED_AT", len(NAMES) - 1)
    with pytest.raises(Refused, match=r"looked for among 10 files, at most 9 are .*: name a `folder`"):
        ask(fewer, "a/3.png", filter={"path": "nothing.png"})
    assert names(fewer, "a/3.png", filter={"path": "/copies/x/*"}) == ["copies/x/2 again.png"]
    # What else is asked for narrows it.
    assert names(few, "a/3.png", filter={"path": "*.png", "folder": "copies/x"}) == ["copies/x/2 again.png"]


def test_orientations_and_times_of_changes_are_filters(search: Search) -> None:
    assert names(search, "a/3.png", filter={"orientation": "portrait"}) == ["b/tall.jpg"]
    assert len(names(search, "a/3.png", filter={"orientation": "landscape"})) == len(NAMES) - 1
    assert names(search, "a/3.png", filter={"orientation": "square"}) == []
    assert len(names(search, "a/3.png", filter={"modified_at": {"gte": "2024"}})) == len(NAMES)
    assert names(search, "a/3.png", filter={"modified_at": {"lte": "2024"}}) == []
    assert len(names(search, "a/3.png", filter={"modified_at": {"gte": "0001", "lte": "9999"}})) == len(NAMES)


def test_many_queries_are_answered_as_alone_and_one_at_fault_fails_alone(
    search: Search, uploads: dict[str, bytes]
) -> None:
    uploads[KEY] = b"no picture"
    good = [message("a/3.png", limit=4), message("a/2.png", group_exact=True, filter={"path": "*.png"}, limit=9)]
    bad = [message({"image": {"key": KEY}}, limit=1), message("nowhere.png", limit=1)]

    reply = search.find_many(SearchManyMessage(queries=[good[0], *bad, good[1]]))

    for one, alone in zip(reply.replies[::3], good, strict=True):
        wanted = {it.path: it for it in search.find_neighbours(alone).neighbours}
        assert {it.path: it.paths for it in one.neighbours} == {path: it.paths for path, it in wanted.items()}
        assert {it.path: it.score for it in one.neighbours} == pytest.approx({p: it.score for p, it in wanted.items()})
    assert [one.error for one in reply.replies[::3]] == [None, None]
    assert "not an image of a known format" in str(reply.replies[1].error)
    assert "neither a file here nor in the index" in str(reply.replies[2].error)
    assert [one.neighbours for one in reply.replies[1:3]] == [[], []]
    (limited,) = search.find_many(SearchManyMessage(queries=[message("a/3.png", limit=51)])).replies
    assert "LOOKALIKE_MAX_LIMIT" in str(limited.error)


def test_more_queries_or_neighbours_than_a_message_may_have_are_refused(search: Search) -> None:
    with pytest.raises(Refused, match=r"has 5 queries, at most 4 are allowed \(LOOKALIKE_MAX_BATCH_QUERIES\)"):
        search.find_many(SearchManyMessage(queries=[message("a/3.png", limit=1)] * 5))
    with pytest.raises(Refused, match=r"asks for 150 neighbours, at most 100 are.*LOOKALIKE_MAX_BATCH_NEIGHBOURS"):
        search.find_many(SearchManyMessage(queries=[message("a/3.png")] * 3))


@pytest.mark.parametrize("distance", ["cosine", "dot", "euclid", "manhattan"])
def test_every_metric_ranks_as_numpy_does_and_means_the_same_by_a_similarity(
    store: QdrantClient, sync: Sync, search: Search, distance: Distance, embedder: Embedder
) -> None:
    spec = CollectionSpec(f"asked-{distance}", embedder.card, distance, library_id="l")
    index = QdrantIndex(store, ensure(store, spec, rebuild=True).name)
    dataclasses.replace(sync, index=index).sync_paths(SyncMessage(paths=NAMES))
    search = dataclasses.replace(search, index=index, distance=distance)
    vectors = {name: np.array(vector) for name, vector in index.vectors_of(NAMES).items()}
    query = vectors["a/3.png"] - 0.5 * vectors["a/1.png"]
    query /= np.linalg.norm(query)
    wanted = {
        name: {
            "cosine": query @ vector,
            "dot": query @ vector,
            "euclid": np.linalg.norm(query - vector),
            "manhattan": np.abs(query - vector).sum(),
        }[distance]
        for name, vector in vectors.items()
    }
    examples = ("a/3.png", {"image": {"path": "a/1.png"}, "weight": -0.5})

    whole = ask(search, *examples)
    # Between two that are no copies of each other.
    least = next(
        (one.similarity + next_.similarity) / 2
        for one, next_ in pairwise(whole)
        if one.similarity - next_.similarity > 1e-3
    )

    assert {it.path: it.score for it in whole} == pytest.approx(wanted, abs=1e-5)
    sign = 1 if distance in ("euclid", "manhattan") else -1
    assert [it.score for it in whole] == pytest.approx(
        sorted(wanted.values(), key=lambda score: sign * score), abs=1e-5
    )
    assert ask(search, *examples, min_similarity=least) == [it for it in whole if it.similarity >= least]
    assert {"a/2.png", "copies/2.png", "copies/x/2 again.png"} <= {*names(search, "a/2.png", min_similarity=1.0)}
