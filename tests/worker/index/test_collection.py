"""The collection is made once for one library, model and distance and refuses every other; only ours is dropped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import CreateAlias, CreateAliasOperation, Distance, VectorParams

from lookalike.errors import CollectionMismatch, Misconfigured
from models.contract import ModelCard, read_card
from models.decoding import DECODER_REVISION
from tests.support.edge import edge_process
from tests.support.faulty.forgetful_store import forgetful
from tests.support.tiny_model import tiny_model
from worker.errors import StoreUnavailable
from worker.index.collection import ensure, recorded_provider
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.payload import INDEXED_FIELDS, PAYLOAD_FORM

FIELDS = {field: INDEXED_FIELDS[field] for field in ("sha256", "status")}
DEEDS = ("create_collection", "create_payload_index", "update_collection_aliases", "delete_collection")


@pytest.fixture(autouse=True)
def _few_payload_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a fifth of a second; that all are made is shown in test_contract.py."""
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", FIELDS)


@pytest.fixture(scope="module")
def card(model: Path) -> ModelCard:
    return read_card(model)


@pytest.fixture
def spec(card: ModelCard) -> Callable[..., CollectionSpec]:
    def made(system: str = "photos", **changes: Any) -> CollectionSpec:
        return CollectionSpec(system, **{"card": card, "distance": "cosine", "library_id": "lib", **changes})

    return made


@pytest.fixture
def made(store: QdrantClient, spec: Callable[..., CollectionSpec]) -> Iterator[OpenCollection]:
    yield ensure(store, spec())
    for collection in store.get_collections().collections:
        if collection.name.startswith("photos"):
            store.delete_collection(collection.name)


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """A client whose process ends after so many changes of the store."""

    def __init__(self, client: QdrantClient, deeds: int) -> None:
        self._client = client
        self._left = deeds

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in DEEDS:
            return call

        def does_and_dies(*args: Any, **kwargs: Any) -> Any:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return call(*args, **kwargs)

        return does_and_dies


def names(store: QdrantClient, system: str) -> list[str]:
    return sorted(it.name for it in store.get_collections().collections if it.name.startswith(f"{system}-"))


def lead(store: QdrantClient, alias: str, name: str) -> None:
    operation = CreateAliasOperation(create_alias=CreateAlias(collection_name=name, alias_name=alias))
    store.update_collection_aliases(change_aliases_operations=[operation])


def bare(store: QdrantClient, name: str) -> None:
    """A collection of somebody else's."""
    store.create_collection(name, vectors_config={"image": VectorParams(size=24, distance=Distance.COSINE)})


def test_the_alias_leads_to_a_collection_that_names_library_model_and_distance(
    store: QdrantClient, card: ModelCard, made: OpenCollection
) -> None:
    assert made.is_new
    assert made.name == f"photos-76b5a357-{card.fingerprint[:12]}-cosine"
    assert store.collection_exists("photos")
    assert store.get_collection("photos").config.metadata == {
        "library_id": "lib",
        "model": "tiny",
        "fingerprint": card.fingerprint,
        "distance": "cosine",
        "precision": "fp32",
        "backend": "onnxruntime-cpu",
        "decoder": DECODER_REVISION,
        "payload": PAYLOAD_FORM,
        "copies": str(card.copy_dimension),
    }


def test_two_libraries_never_have_one_collection(spec: Callable[..., CollectionSpec]) -> None:
    assert spec().name("lib") != spec().name("other")


@pytest.mark.parametrize("library_id", [None, "lib"])
def test_a_second_worker_finds_what_the_first_one_made(
    store: QdrantClient, spec: Callable[..., CollectionSpec], made: OpenCollection, library_id: str | None
) -> None:
    assert ensure(store, spec(library_id=library_id)) == OpenCollection(made.name, made.identity, is_new=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"distance": "euclid"}, "distance .* --rebuild"),
        ({"card": None}, "model file .* --rebuild"),
        ({"library_id": "other"}, "set another LOOKALIKE_NAME, or LOOKALIKE_LIBRARY_ID=lib if"),
    ],
)
def test_another_library_model_or_distance_is_refused_with_the_remedy(
    store: QdrantClient,
    spec: Callable[..., CollectionSpec],
    made: OpenCollection,
    tmp_path: Path,
    change: dict[str, Any],
    said: str,
) -> None:
    assert made
    if "card" in change:
        change = {"card": read_card(tiny_model(tmp_path / "other.onnx", seed=1))}

    with pytest.raises(CollectionMismatch, match=said):
        ensure(store, spec(**change))


def test_a_rebuild_drops_the_old_index_and_leads_the_alias_to_the_new_one(
    store: QdrantClient, spec: Callable[..., CollectionSpec], made: OpenCollection
) -> None:
    new = ensure(store, spec(distance="manhattan"), rebuild=True)

    assert new.is_new
    assert names(store, "photos") == [new.name] != [made.name]
    assert store.get_collection("photos").config.metadata == new.identity.metadata()


def test_a_rebuild_drops_the_index_of_a_library_only_if_it_was_ours(
    store: QdrantClient, spec: Callable[..., CollectionSpec], made: OpenCollection
) -> None:
    other = spec(library_id="other")

    with pytest.raises(CollectionMismatch, match="set another LOOKALIKE_NAME"):
        ensure(store, other, rebuild=True)
    assert names(store, "photos") == [made.name]

    new = ensure(store, spec(library_id="other", former_ids=frozenset({"lib"})), rebuild=True)
    assert names(store, "photos") == [new.name]


def test_a_rebuild_leaves_a_collection_alone_that_lookalike_did_not_make(
    store: QdrantClient, spec: Callable[..., CollectionSpec]
) -> None:
    bare(store, "strangers")
    lead(store, "strange", "strangers")

    for rebuild in (False, True):
        with pytest.raises(CollectionMismatch, match=r"'strangers', which was not made by lookalike: set another"):
            ensure(store, spec("strange"), rebuild=rebuild)

    assert store.collection_exists("strangers")
    store.delete_collection("strangers")


def test_a_collection_that_has_the_name_of_the_alias_is_told(
    store: QdrantClient, spec: Callable[..., CollectionSpec]
) -> None:
    bare(store, "squatted")

    with pytest.raises(CollectionMismatch, match=r"itself named 'squatted'.* set another LOOKALIKE_NAME"):
        ensure(store, spec("squatted"))

    store.delete_collection("squatted")


@pytest.mark.parametrize("again", [False, True], ids=["start", "rebuild"])
@pytest.mark.parametrize("deeds", [1, 2, 3, 4], ids=["dropped", "created", "half the payload indexes", "no alias yet"])
def test_a_rebuild_that_was_cut_off_is_finished_by_the_next_start(
    store: QdrantClient, spec: Callable[..., CollectionSpec], deeds: int, *, again: bool
) -> None:
    if store.init_options["location"] == ":memory:":
        pytest.skip("local mode has no servers and workers that race, nor a server's answer to a conflict")
    bare(store, "cut-old")
    lead(store, "cut", "cut-old")
    store.update_collection("cut-old", metadata=ensure_identity(spec("cut", distance="dot")))
    with pytest.raises(Killed):
        ensure(Dying(store, deeds), spec("cut"), rebuild=True)  # type: ignore[arg-type]

    new = ensure(store, spec("cut"), rebuild=again)

    assert names(store, "cut") == [new.name]
    found = store.get_collection("cut")
    assert found.config.metadata == new.identity.metadata()
    assert set(found.payload_schema) == set(FIELDS)
    store.delete_collection(new.name)


def test_a_name_that_another_library_took_meanwhile_stays_its_own(
    store: QdrantClient, spec: Callable[..., CollectionSpec]
) -> None:
    """Its workers have another broker, so no lock keeps the two apart."""
    bare(store, "theirs")

    class Overtaken(Dying):
        def __getattr__(self, name: str) -> Any:
            if name == "create_payload_index":
                lead(store, "raced", "theirs")
            return super().__getattr__(name)

    with pytest.raises(StoreUnavailable, match="was led to 'theirs' meanwhile"):
        ensure(Overtaken(store, 9), spec("raced"))  # type: ignore[arg-type]

    assert names(store, "raced") == []
    assert store.get_collection("raced").config.metadata is None
    store.delete_collection("theirs")


def test_an_older_server_is_refused_by_its_version_before_anything_is_made(
    spec: Callable[..., CollectionSpec], tmp_path: Path
) -> None:
    with edge_process(tmp_path / "store") as edge, forgetful(edge.url, version="1.15.5") as url:
        client = QdrantClient(url=url, check_compatibility=False)
        for rebuild in (False, True):
            with pytest.raises(
                Misconfigured, match=r"version 1\.15\.5, .* 1\.16 or later \(1\.16\.3 was tested"
            ) as told:
                ensure(client, spec(), rebuild=rebuild)
        assert not isinstance(told.value, CollectionMismatch)
        assert client.get_collections().collections == []
        # One that it forgot before we looked at versions.
        bare(client, "photos-before")
        lead(client, "photos", "photos-before")
        with pytest.raises(Misconfigured, match=r"version 1\.15\.5"):
            ensure(client, spec())
        client.close()


def test_a_store_that_forgets_metadata_is_told_and_keeps_nothing(
    spec: Callable[..., CollectionSpec], tmp_path: Path
) -> None:
    with edge_process(tmp_path / "store") as edge, forgetful(edge.url) as url:
        client = QdrantClient(url=url, check_compatibility=False)
        with pytest.raises(Misconfigured, match=r"keeps no metadata of collections.* proxy"):
            ensure(client, spec())
        assert client.get_collections().collections == []
        client.close()


def test_a_key_for_one_collection_uses_an_index_that_exists(
    spec: Callable[..., CollectionSpec], tmp_path: Path
) -> None:
    name = spec().name("lib")
    others = rf"(?!\w+ /collections/{name}).* /(aliases|collections).*|(PUT|DELETE) /collections/\w+.*"
    with edge_process(tmp_path / "store") as edge, forgetful(edge.url, closed=others) as url:
        owner = QdrantClient(url=edge.url, check_compatibility=False)
        client = QdrantClient(url=url, check_compatibility=False)
        with pytest.raises(Misconfigured, match=rf"no collection '{name}' .* key for the whole store"):
            ensure(client, spec())
        made = ensure(owner, spec())

        assert ensure(client, spec()) == OpenCollection(made.name, made.identity, is_new=False)
        assert recorded_provider(client, "photos") is None
        with pytest.raises(Misconfigured, match="set LOOKALIKE_LIBRARY_ID"):
            ensure(client, spec(library_id=None))
        with pytest.raises(UnexpectedResponse, match="403"):
            ensure(client, spec(), rebuild=True)
        assert names(owner, "photos") == [made.name]
        client.close()
        owner.close()


def ensure_identity(spec: CollectionSpec) -> dict[str, str]:
    """What an index of this spec records."""
    assert spec.library_id is not None
    return spec.identity(spec.library_id).metadata()
