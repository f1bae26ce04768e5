"""Between stores and files: nothing is lost, added or changed, a run that was cut off goes on, others' data stays."""

import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from lookalike.errors import CollectionMismatch, LookalikeError, Refused
from lookalike.settings import Settings
from models.contract import ModelCard
from tests.support.edge import edge_process
from tests.worker.moving.drawn import assert_same, card, everything, filled, header_of, rows
from worker.index.collection_options import CollectionOptions
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.moving.__main__ import target_of as moving_target
from worker.moving.collections import OwnCollection, alias_target
from worker.moving.export import export
from worker.moving.files import reader_of
from worker.moving.migrate import Migration
from worker.moving.taking import check_fit, take
from worker.moving.target import Target

COUNT = 1500
ROOT = Path(__file__).resolve().parents[3]


class Cut(Exception):
    """The end of a process."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return card(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", params=["edge", "local"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantClient]:
    """The store that is migrated to: a second server, and qdrant-client's local mode in a folder."""
    folder = tmp_path_factory.mktemp("other")
    if request.param == "local":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Payload indexes have no effect in the local Qdrant")
            warnings.filterwarnings("ignore", message="Local mode performs exact")
            client = QdrantClient(path=str(folder))
            yield client
            client.close()
        return
    with edge_process(folder / "data") as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        yield client
        client.close()


@pytest.fixture
def source(edge: QdrantClient, model: ModelCard) -> OwnCollection:
    return filled(edge, model, f"moving-{uuid4().hex[:8]}", COUNT)


def target_of(source: OwnCollection, there: QdrantClient) -> Target:
    system = source.name.rsplit("-", 3)[0]
    return Target(
        there, system, source.name, source.identity, source.dimensions, CollectionOptions(), request_bytes=2**20
    )


def cut_after(points: int) -> "object":
    def tell(done: int, _of: int) -> None:
        if done >= points:
            raise Cut

    return tell


def test_a_copy_has_each_point_with_payload_and_vectors(source: OwnCollection, other: QdrantClient) -> None:
    target = target_of(source, other)

    done = Migration(source, target, chance=random.Random(1)).run()

    copy = OwnCollection.behind(other, target.system)
    assert (done.points, done.written, done.removed) == (COUNT, COUNT, 0)
    assert done.vectors_compared >= 2 * 199
    assert done.searches_compared >= 2 * 19
    assert (copy.name, copy.identity, copy.dimensions) == (source.name, source.identity, source.dimensions)
    assert_same(everything(source), everything(copy))


def test_one_that_was_cut_off_goes_on_and_what_changed_meanwhile_is_followed(
    source: OwnCollection, other: QdrantClient, model: ModelCard
) -> None:
    target = target_of(source, other)
    with pytest.raises(Cut):
        Migration(source, target, cut_after(1000)).run()  # type: ignore[arg-type]
    begun = OwnCollection.named(other, target.name).count()
    index = QdrantIndex(source.client, source.name, vectors=source.identity.vectors)
    changed = rows(4, source.identity, model, seed=9)[2:]
    index.write(
        [PointWrite({**row.payload, "indexed_at": "2027-01-01T00:00:00+00:00"}, row.vectors) for row in changed]
    )
    index.delete(["broken.jpg", "folder 4/päth-4.png"])

    assert 1000 <= begun < COUNT
    assert alias_target(other, target.system) is None
    done = Migration(source, target).run()

    assert done.points == COUNT - 2
    assert done.written <= COUNT - begun + 2
    assert_same(everything(source), everything(OwnCollection.behind(other, target.system)))
    assert Migration(source, target).run() == replace(done, written=0, removed=0)


def test_a_copy_that_differs_is_not_promoted(source: OwnCollection, other: QdrantClient, model: ModelCard) -> None:
    target = target_of(source, other)
    target.open()
    # The payloads are the same, so that no pass would write them again.
    wrong = [
        PointWrite(row.payload, rows(2, source.identity, model, seed=77)[1].vectors)
        for row in rows(COUNT, source.identity, model)[1:]
    ]
    target.index.write(wrong)

    with pytest.raises(Refused, match=r"The copy is not like the index: the vector of .* differs"):
        Migration(source, target).run()
    assert alias_target(other, target.system) is None


def test_what_is_not_ours_is_left_alone(source: OwnCollection, other: QdrantClient) -> None:
    target = target_of(source, other)
    vectors = {"image": VectorParams(size=2, distance=Distance.DOT)}
    other.create_collection(target.name, vectors_config=vectors)
    with pytest.raises(CollectionMismatch, match="was not made by lookalike"):
        Migration(source, target).run()
    other.delete_collection(target.name)

    other.create_collection(target.name, vectors_config=vectors, metadata={**source.identity.metadata(), "model": "x"})
    with pytest.raises(CollectionMismatch, match="was made for something else"):
        Migration(source, target).run()
    other.delete_collection(target.name)

    other.create_collection(target.system, vectors_config=vectors)
    with pytest.raises(CollectionMismatch, match="has something of the name"):
        Migration(source, target).run()
    assert other.count(target.system).count == 0
    other.delete_collection(target.system)


def test_a_data_folder_of_another_library_is_told_which_one_it_is(source: OwnCollection) -> None:
    settings = Settings(name="moving", library_id="mine")

    with pytest.raises(Refused, match="set LOOKALIKE_LIBRARY_ID=the-library if they are the same"):
        moving_target(settings, source.client, source)
    assert moving_target(settings.model_copy(update={"library_id": None}), source.client, source).name == source.name


def test_a_process_that_was_killed_goes_on(source: OwnCollection, tmp_path: Path) -> None:
    """Both stores are servers, and the program is ended by SIGKILL when it told of its first pages."""
    system = source.name.rsplit("-", 3)[0]
    url = str(source.client._client.rest_uri)  # type: ignore[attr-defined]  # noqa: SLF001
    with edge_process(tmp_path / "data") as server:
        environment = {"PYTHONPATH": str(ROOT), "QDRANT_URL": url, "LOOKALIKE_NAME": system, "PATH": ""}
        command = [sys.executable, "-m", "worker.moving", "migrate", server.url]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.kill()
        assert '"done"' in first
        again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        there = QdrantClient(url=server.url, check_compatibility=False)

        assert again.returncode == 0, again.stderr
        assert_same(everything(source), everything(OwnCollection.behind(there, system)))
        there.close()


def test_an_export_is_taken_without_inference_and_what_is_there_stays(
    source: OwnCollection, other: QdrantClient, model: ModelCard, tmp_path: Path
) -> None:
    done = export(source, tmp_path / "out.npz", [], lambda _done, _of: None)
    settings = Settings(name=f"taken-{uuid4().hex[:8]}", library_id="another", model=str(tmp_path / "tiny-0-True.onnx"))
    card(tmp_path)

    with pytest.raises(Cut):
        take(settings, other, reader_of(tmp_path / "out.npz"), cut_after(600))  # type: ignore[arg-type]
    index = QdrantIndex(other, settings.name, vectors=("embedding", "copy"))
    newer = rows(3, source.identity, model, seed=5)[2]
    index.write([PointWrite({**newer.payload, "version": "newer"}, newer.vectors)])
    report = take(settings, other, reader_of(tmp_path / "out.npz"), lambda _done, _of: None)

    assert (done.points, done.rejected) == (COUNT, 1)
    assert report["written"] + report["there"] == COUNT
    assert 600 <= report["there"] < COUNT
    taken = OwnCollection.behind(other, settings.name)
    assert taken.identity == replace(source.identity, library_id="another")
    found, expected = everything(taken), everything(source)
    assert found.pop(newer.payload["path"]).payload["version"] == "newer"
    expected.pop(newer.payload["path"])
    assert_same(found, expected)


def test_another_metric_takes_the_same_vectors_as_another_generation(
    source: OwnCollection, edge: QdrantClient, tmp_path: Path
) -> None:
    export(source, tmp_path / "out.jsonl", [], lambda _done, _of: None)
    card(tmp_path)
    model = str(tmp_path / "tiny-0-True.onnx")
    settings = Settings(name=f"taken-{uuid4().hex[:8]}", library_id="another", model=model, distance="euclid")

    take(settings, edge, reader_of(tmp_path / "out.jsonl"), lambda _done, _of: None)

    taken = OwnCollection.behind(edge, settings.name)
    generations = {row.payload.get("generation") for row in everything(taken).values()}
    assert taken.identity.distance == "euclid"
    assert generations == {None, taken.identity.generation}


@pytest.mark.parametrize(
    ("seed", "copies", "changed", "words"),
    [
        (1, True, {}, "vectors of the model 'tiny'"),
        (0, False, {}, "vectors of 24 and 12 numbers, and those of 'tiny' have 24"),
        (0, True, {"decoder": "1"}, "made with decoder revision '1'"),
        (0, True, {"payload": "1"}, "made with payload form '1'"),
    ],
)
def test_vectors_of_something_else_are_refused(
    *, seed: int, copies: bool, changed: dict[str, str], words: str, model: ModelCard, tmp_path: Path
) -> None:
    header = header_of(model)
    made = replace(header, identity=replace(header.identity, **changed))  # type: ignore[arg-type]
    here = card(tmp_path, seed=seed, copies=copies)
    # What a file says of its fingerprint is compared first.
    here = here if seed else replace(here, fingerprint=model.fingerprint)

    with pytest.raises(Refused, match=words):
        check_fit(made, here)


def test_an_export_never_replaces_a_file_and_leaves_none_that_is_not_whole(
    source: OwnCollection, tmp_path: Path
) -> None:
    (tmp_path / "there.npz").write_bytes(b"")
    with pytest.raises(Refused, match="exists: remove it"):
        export(source, tmp_path / "there.npz", [], lambda _done, _of: None)
    with pytest.raises(Refused, match="no folder"):
        export(source, tmp_path / "no" / "out.npz", [], lambda _done, _of: None)
    for form in ("npz", "jsonl", "parquet"):
        with pytest.raises(Cut):
            export(source, tmp_path / f"out.{form}", [], cut_after(600))  # type: ignore[arg-type]

    assert [path.name for path in tmp_path.iterdir()] == ["there.npz"]


def test_a_store_without_an_index_says_so(edge: QdrantClient) -> None:
    with pytest.raises(LookalikeError, match="no index with the name 'nothing'"):
        OwnCollection.behind(edge, "nothing")


def test_a_file_without_a_model_needs_a_name(edge: QdrantClient, tmp_path: Path) -> None:
    (tmp_path / "clip.jsonl").write_text('{"path": "a.jpg", "vector": [1, 0]}\n')

    with pytest.raises(Refused, match="name that with --as"):
        take(Settings(), edge, reader_of(tmp_path / "clip.jsonl"), lambda _done, _of: None)
