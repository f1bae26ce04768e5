"""What computes is chosen by measuring, recorded with the index, and kept to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.settings import Settings
from models.contract import read_card
from tests.support.shipped import SHIPPED
from worker.index.collection import ensure, recorded_provider
from worker.index.collection_spec import CollectionSpec
from worker.inference.embedder import Embedder
from worker.inference.provider_selection import (
    fastest,
    fixed_provider,
    measure_rates,
    select_for_new_index,
    select_provider,
)
from worker.inference.providers import CPU, PROVIDERS, installed_providers

OTHERS = [provider for provider in PROVIDERS.values() if provider != CPU]


def opened(path: Path, provider: str) -> Embedder:
    """The model with this provider; skips, and says why, where it cannot be had."""
    try:
        return Embedder(path, inference_batch=8, provider=provider)
    except Misconfigured as error:
        pytest.skip(f"{provider}: {error}")


@pytest.mark.parametrize("provider", OTHERS)
@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_providers_agree_on_the_embeddings_of_one_model(model: Path, provider: str, which: str) -> None:
    path = model if which == "tiny" else SHIPPED
    other, ours = opened(path, provider), Embedder(path, inference_batch=8)
    pictures = np.random.default_rng(0).integers(
        0, 256, (16, ours.card.height_px, ours.card.width_px, 3), dtype=np.uint8
    )

    cosines = (ours.embed(list(pictures)) * other.embed(list(pictures))).sum(axis=1)

    assert cosines.min() >= 0.99


@pytest.mark.parametrize("provider", OTHERS)
def test_a_provider_that_is_not_here_is_refused_with_the_remedy(model: Path, provider: str) -> None:
    try:
        Embedder(model, inference_batch=1, provider=provider)
    except Misconfigured as error:
        said = str(error)
    else:
        pytest.skip(f"{provider} can be used here")

    assert "LOOKALIKE_PROVIDER=cpu" in said


def test_the_fastest_is_taken_and_the_usual_one_if_nothing_is_faster() -> None:
    cpu, openvino, _ = PROVIDERS.values()

    assert fastest({cpu: 10.0, openvino: 12.0}) == openvino
    assert fastest({cpu: 12.0, openvino: 12.0}) == cpu
    assert fastest({}) == cpu


def test_measuring_leaves_out_what_does_not_work(model: Path) -> None:
    rates = measure_rates(model, [CPU, "a-provider-of-the-future"], processes=2)

    assert list(rates) == [CPU]
    assert rates[CPU] > 0


def test_what_is_set_is_taken_without_measuring() -> None:
    assert fixed_provider(Settings(provider="cuda")) == PROVIDERS["cuda"]
    assert select_provider(Settings(provider="openvino"), lambda: None) == PROVIDERS["openvino"]
    assert fixed_provider(Settings(provider="auto")) == (CPU if installed_providers() == [CPU] else None)


@pytest.fixture
def made_with(store: QdrantClient, model: Path) -> Callable[[str], str]:
    """Makes an index with a provider; gives the system's name."""

    def make(provider: str) -> str:
        ensure(
            store, CollectionSpec("made", read_card(model), "cosine", library_id="l", provider=provider), rebuild=True
        )
        return "made"

    return make


def test_a_worker_that_would_compute_otherwise_is_refused(
    store: QdrantClient, model: Path, made_with: Callable[[str], str]
) -> None:
    name = made_with(PROVIDERS["openvino"])

    with pytest.raises(CollectionMismatch, match=r"provider 'onnxruntime-openvino' .* --rebuild"):
        ensure(store, CollectionSpec(name, read_card(model), "cosine", library_id="l", provider=CPU))


def test_the_index_remembers_what_it_was_made_with(store: QdrantClient, made_with: Callable[[str], str]) -> None:
    name = made_with(PROVIDERS["openvino"])

    assert recorded_provider(store, name) == PROVIDERS["openvino"]
    assert recorded_provider(store, "nobody-made-this") is None


def test_where_there_is_a_choice_the_index_decides(
    store: QdrantClient, made_with: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.provider_selection.installed_providers", lambda: list(PROVIDERS.values()))
    name = made_with(PROVIDERS["openvino"])

    assert select_for_new_index(Settings(name=name), lambda: recorded_provider(store, name)) == PROVIDERS["openvino"]
