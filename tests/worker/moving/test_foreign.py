"""Vectors of other programs: what makes a payload is looked up, and what cannot stand in an index is refused."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient

from lookalike.errors import LookalikeError, Misconfigured
from lookalike.settings import Settings
from tests.support.pictures import draw
from tests.worker.moving.drawn import card, everything, header_of
from worker.errors import NotEmbeddedHere
from worker.inference.decoder import decode_image
from worker.inference.embedder import Embedder, model_path
from worker.moving.collections import OwnCollection
from worker.moving.files import reader_of
from worker.moving.foreign import take_foreign


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for seed in range(3):
        draw(tmp_path / "library" / f"{seed}.png", seed)
    (tmp_path / "library" / "broken.png").write_bytes(b"this is no picture")
    name = f"foreign-{uuid4().hex[:8]}"
    return Settings(name=name, data=tmp_path / "data", library=tmp_path / "library", library_id="the-library")


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "clip.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def taken(settings: Settings, edge: QdrantClient, file: Path, name: str = "clip") -> dict[str, Any]:
    return take_foreign(settings, edge, reader_of(file), name, lambda _done, _of: None)


def test_files_of_the_library_get_their_vectors_of_length_one(
    settings: Settings, edge: QdrantClient, tmp_path: Path
) -> None:
    paths = ("0.png", "1.png", "gone.png", "broken.png")
    file = written(tmp_path, *({"path": path, "vector": [3.0, 4.0]} for path in paths))

    first, second = (taken(settings, edge, file) for _ in range(2))

    assert {name: first[name] for name in ("written", "there", "missing", "unreadable")} == {
        "written": 2, "there": 0, "missing": 1, "unreadable": 1,
    }  # fmt: skip
    assert (second["written"], second["there"]) == (0, 2)
    collection = OwnCollection.behind(edge, settings.name)
    found = everything(collection)
    assert found.keys() == {"0.png", "1.png"}
    np.testing.assert_allclose((found["0.png"].vectors or {})["embedding"], [0.6, 0.8], atol=1e-6)
    assert found["0.png"].payload["format"] == "PNG"
    assert found["0.png"].payload["generation"] == collection.identity.generation


def test_its_card_stands_in_the_place_of_a_model_and_embeds_nothing(
    settings: Settings, edge: QdrantClient, tmp_path: Path
) -> None:
    taken(settings, edge, written(tmp_path, {"path": "0.png", "vector": [1.0, 0.0, 0.0]}))

    embedder = Embedder(model_path(settings.model_copy(update={"model": "clip"})), inference_batch=4)
    embedder.warm_up()

    assert (embedder.card.name, embedder.dimensions) == ("clip", {"embedding": 3})
    assert embedder.describe([])["embedding"].shape == (0, 3)
    with pytest.raises(NotEmbeddedHere, match="no model is here that could embed an image"):
        decode_image((tmp_path / "library" / "0.png").read_bytes(), embedder.card, max_pixels=10**6)
    with pytest.raises(Misconfigured, match="one of: clip, resnet"):
        model_path(settings.model_copy(update={"model": "nothing"}))


@pytest.mark.parametrize(
    ("rows", "name", "words"),
    [
        ([], "clip", "is no JSON"),
        ([{"path": "0.png", "vector": [1.0]}], "a/b", "cannot name vectors"),
        ([{"path": "0.png", "vector": [1.0, 0.0]}, {"path": "1.png", "vector": [1.0]}], "clip", "each has 2"),
        ([{"path": "0.png", "vector": [0.0, 0.0]}], "clip", "not all 0"),
        ([{"path": "../0.png", "vector": [1.0, 0.0]}], "clip", "not a path inside the library"),
    ],
)
def test_what_cannot_stand_in_an_index_is_refused(
    rows: list[dict[str, Any]], name: str, words: str, settings: Settings, edge: QdrantClient, tmp_path: Path
) -> None:
    with pytest.raises(LookalikeError, match=words):
        taken(settings, edge, written(tmp_path, *rows), name)


def test_an_export_of_ours_takes_no_other_name(settings: Settings, edge: QdrantClient, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text(json.dumps({"lookalike": json.loads(header_of(card(tmp_path)).to_json())}))

    with pytest.raises(LookalikeError, match="import it without --as"):
        taken(settings, edge, tmp_path / "out.jsonl")


def test_without_a_library_nothing_is_looked_up(settings: Settings, edge: QdrantClient, tmp_path: Path) -> None:
    file = written(tmp_path, {"path": "0.png", "vector": [1.0]})

    with pytest.raises(Misconfigured, match="--library"):
        taken(settings.model_copy(update={"library": None}), edge, file)
