"""The judge sees what is lost, left over and wrong: a judge that sees nothing would make every run a good one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from lookalike.library.version import FileVersion, folder_version
from models.contract import read_card
from tests.programs.chaos.judging import Verdict, files_of, judge, stamps_of
from tests.support.edge import edge_process
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder


class Judged:
    """A library, and a store that knows of it what the test writes."""

    def __init__(self, folder: Path, store: QdrantClient, model: Path) -> None:
        self.root = folder / "library"
        self.root.mkdir()
        self._store, self._model = store, model
        enable_formats()
        self._embedder = Embedder(model, inference_batch=1)
        spec = CollectionSpec("judged", read_card(model), "cosine", library_id="an-id")
        self._name = ensure(store, spec, rebuild=True).name
        self._index = QdrantIndex(store, self._name)

    def index(self, name: str, content_of: str | None = None) -> None:
        blob = (self.root / (content_of or name)).read_bytes()
        vector = self._embedder.embed([decode_image(blob, self._embedder.card, max_pixels=10**6).pixels])[0]
        payload = indexed_payload(name, self._version(name), ImageMetadata("sha", "PNG", 64, 48, None), "now", "made")
        self._index.write([PointWrite(payload, {"embedding": vector.tolist()})])

    def reject(self, name: str) -> None:
        self._index.write([PointWrite(rejected_payload(name, self._version(name), "a reason", "now"))])

    def verdict(self) -> Verdict:
        return judge(self.root, self._store, self._name, self._model)

    def _version(self, name: str) -> FileVersion:
        path = self.root / name
        return folder_version(path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else folder_version(1, 1)


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[Judged]:
    model = tiny_model(tmp_path / "tiny.onnx")
    with edge_process(tmp_path / "store") as edge:
        store = QdrantClient(url=edge.url, check_compatibility=False)
        yield Judged(tmp_path, store, model)
        store.close()


def test_what_is_right_and_what_is_not_is_told_apart(judged: Judged) -> None:
    for seed, name in enumerate(("right", "other vector", "rejected", "stale", "lost", "gone")):
        draw(judged.root / f"{name}.png", seed)
    (judged.root / "broken.png").write_bytes(b"no picture")
    (judged.root / "taken for one.png").write_bytes(b"no picture")
    for name in ("right.png", "stale.png", "gone.png"):
        judged.index(name)
    judged.index("other vector.png", content_of="right.png")
    judged.index("taken for one.png", content_of="right.png")
    judged.reject("rejected.png")
    judged.reject("broken.png")
    draw(judged.root / "stale.png", 100)
    (judged.root / "gone.png").unlink()

    found = judged.verdict()

    assert (found.indexed, found.rejected) == (1, 1)
    assert (found.lost, found.ghosts) == (["lost.png"], ["gone.png"])
    assert sorted(wrong.split(" has ")[0] for wrong in found.wrong) == [
        "other vector.png",
        "rejected.png is rejected",
        "stale.png is stale",
        "taken for one.png is indexed",
    ]


def test_a_file_counts_by_its_name_and_its_place(judged: Judged, tmp_path: Path) -> None:
    draw(judged.root / "a.PNG", 1)
    draw(judged.root / ".hidden" / "b.png", 1)
    draw(judged.root / ".c.png", 1)
    draw(judged.root / "d.txt", 1)
    draw(tmp_path / "outside.png", 1)
    (judged.root / "inside.png").symlink_to("a.PNG")
    (judged.root / "outside.png").symlink_to(tmp_path / "outside.png")
    (judged.root / "e\udce9.png").write_bytes(b"x")

    assert sorted(files_of(judged.root)) == ["a.PNG", "e\\xe9.png", "inside.png"]
    assert stamps_of(judged.root)["e\\xe9.png"] == (0, 0)
