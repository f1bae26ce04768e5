"""What computes is chosen by measuring, recorded with the index, and kept to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.settings import Settings
from models.contract import read_card
from tests.support.workers import ROOT
from worker.index.collection import Wish, ensure, recorded_backend
from worker.inference.embedder import Embedder
from worker.inference.provider_selection import backend_of, backend_to_make_with, fastest, fixed_backend, measured
from worker.inference.providers import BACKENDS, CPU, installed

OTHERS = [backend for backend in BACKENDS.values() if backend != CPU]
SHIPPED = ROOT / "models" / "resnet18.onnx"


def opened(path: Path, backend: str) -> Embedder:
    """The model with this backend; skips, and says why, where it cannot be had."""
    try:
        return Embedder(path, inference_batch=8, backend=backend)
    except Misconfigured as error:
        pytest.skip(f"{backend}: {error}")


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_backends_agree_on_the_embeddings_of_one_model(model: Path, backend: str, which: str) -> None:
    path = model if which == "tiny" else SHIPPED
    other, ours = opened(path, backend), Embedder(path, inference_batch=8)
    pictures = np.random.default_rng(0).integers(
        0, 256, (16, ours.card.height_px, ours.card.width_px, 3), dtype=np.uint8
    )

    cosines = (ours.embed(list(pictures)) * other.embed(list(pictures))).sum(axis=1)

    assert cosines.min() >= 0.99


@pytest.mark.parametrize("backend", OTHERS)
def test_a_backend_that_is_not_here_is_refused_with_the_remedy(model: Path, backend: str) -> None:
    try:
        Embedder(model, inference_batch=1, backend=backend)
    except Misconfigured as error:
        said = str(error)
    else:
        pytest.skip(f"{backend} can be used here")

    assert "LOOKALIKE_PROVIDER=cpu" in said


def test_the_fastest_is_taken_and_the_usual_one_if_nothing_is_faster() -> None:
    cpu, openvino, _ = BACKENDS.values()

    assert fastest({cpu: 10.0, openvino: 12.0}) == openvino
    assert fastest({cpu: 12.0, openvino: 12.0}) == cpu
    assert fastest({}) == cpu


def test_measuring_leaves_out_what_does_not_work(model: Path) -> None:
    rates = measured(model, [CPU, "a-backend-of-the-future"], processes=2)

    assert list(rates) == [CPU]
    assert rates[CPU] > 0


def test_what_is_set_is_taken_without_measuring() -> None:
    assert fixed_backend(Settings(provider="cuda")) == BACKENDS["cuda"]
    assert backend_of(Settings(provider="openvino")) == BACKENDS["openvino"]
    assert fixed_backend(Settings(provider="auto")) == (CPU if installed() == [CPU] else None)


@pytest.fixture
def made_with(store: QdrantClient, model: Path) -> Callable[[str], str]:
    """Makes an index with a backend; gives the system's name."""

    def make(backend: str) -> str:
        ensure(store, Wish("made", read_card(model), "cosine", library_id="l", backend=backend), rebuild=True)
        return "made"

    return make


def test_a_worker_that_would_compute_otherwise_is_refused(
    store: QdrantClient, model: Path, made_with: Callable[[str], str]
) -> None:
    name = made_with(BACKENDS["openvino"])

    with pytest.raises(CollectionMismatch, match=r"backend 'onnxruntime-openvino' .* --rebuild"):
        ensure(store, Wish(name, read_card(model), "cosine", library_id="l", backend=CPU))


def test_the_index_remembers_what_it_was_made_with(store: QdrantClient, made_with: Callable[[str], str]) -> None:
    name = made_with(BACKENDS["openvino"])

    assert recorded_backend(store, name) == BACKENDS["openvino"]
    assert recorded_backend(store, "nobody-made-this") is None


def test_where_there_is_a_choice_the_index_decides(
    store: QdrantClient, made_with: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.provider_selection.installed", lambda: list(BACKENDS.values()))
    name = made_with(BACKENDS["openvino"])

    assert backend_to_make_with(Settings(name=name), store, rebuild=False) == BACKENDS["openvino"]
