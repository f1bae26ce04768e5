"""Collections, their settings and their aliases, over restarts too."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import (
    CreateAlias,
    CreateAliasOperation,
    DeleteAlias,
    DeleteAliasOperation,
    Distance,
    PayloadSchemaType,
    PointStruct,
    RenameAlias,
    RenameAliasOperation,
    VectorParams,
)

from tests.support.edge import client_of, edge_process


@pytest.fixture
def name(client: QdrantClient) -> Iterator[str]:
    made = f"made-{uuid4().hex[:8]}"
    create(client, made)
    yield made
    client.delete_collection(made)


def create(client: QdrantClient, name: str, size: int = 3, metadata: dict[str, object] | None = None) -> None:
    vectors = {"image": VectorParams(size=size, distance=Distance.DOT)}
    client.create_collection(name, vectors_config=vectors, metadata=metadata)


def to(alias: str, name: str) -> CreateAliasOperation:
    return CreateAliasOperation(create_alias=CreateAlias(alias_name=alias, collection_name=name))


def without(alias: str) -> DeleteAliasOperation:
    return DeleteAliasOperation(delete_alias=DeleteAlias(alias_name=alias))


def aliases(client: QdrantClient) -> dict[str, str]:
    return {found.alias_name: found.collection_name for found in client.get_aliases().aliases}


def test_a_client_starts_without_a_word_and_may_carry_a_key(edge_server: str) -> None:
    """Warnings are errors here, so the version check passes."""
    with pytest.warns(UserWarning, match="Api key is used with an insecure connection"):
        client = QdrantClient(url=edge_server, api_key="not looked at")

    assert client.get_collections()
    assert client.info().version == "1.20.0"


def test_a_collection_tells_what_it_was_made_with(client: QdrantClient) -> None:
    name = f"made-{uuid4().hex[:8]}"

    create(client, name, size=7, metadata={"library": "b2", "precision": {"bits": 8}, "gone": None})

    info = client.get_collection(name)
    vectors = info.config.params.vectors
    assert isinstance(vectors, dict)
    assert vectors == {"image": VectorParams(size=7, distance=Distance.DOT)}
    assert info.config.metadata == {"library": "b2", "precision": {"bits": 8}}
    assert (info.status, info.points_count, info.payload_schema) == (models.CollectionStatus.GREEN, 0, {})
    assert name in {listed.name for listed in client.get_collections().collections}


def test_a_collection_is_there_until_it_is_deleted(client: QdrantClient) -> None:
    name = f"made-{uuid4().hex[:8]}"
    assert not client.collection_exists(name)
    create(client, name)
    assert client.collection_exists(name)

    assert client.delete_collection(name)

    assert not client.collection_exists(name)
    assert not client.delete_collection(name)


def test_a_collection_that_is_made_again_is_empty(client: QdrantClient, name: str) -> None:
    client.upsert(name, [PointStruct(id=1, vector={"image": [1.0, 2.0, 3.0]})])
    client.delete_collection(name)

    create(client, name, size=5)

    assert client.count(name).count == 0
    client.upsert(name, [PointStruct(id=1, vector={"image": [1.0] * 5})])


def test_metadata_is_merged_and_null_takes_a_key_out(client: QdrantClient, name: str) -> None:
    client.update_collection(name, metadata={"model": "resnet18", "backend": "onnx", "more": {"a": 1}})

    client.update_collection(name, metadata={"backend": None, "precision": "int8", "more": {"b": 2}})

    metadata = client.get_collection(name).config.metadata
    assert metadata == {"model": "resnet18", "precision": "int8", "more": {"b": 2}}


def test_payload_indexes_are_listed_with_how_much_they_hold(client: QdrantClient, name: str) -> None:
    kinds = [kind for kind in PayloadSchemaType if kind is not PayloadSchemaType.GEO]
    for kind in kinds:
        client.create_payload_index(name, f"of.{kind.value}", kind)
    client.create_payload_index(
        name,
        "words",
        models.TextIndexParams(
            type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WHITESPACE, min_token_len=2
        ),
    )
    client.create_payload_index(
        name, "exact", models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=False)
    )
    client.upsert(name, [PointStruct(id=n, vector={}, payload={"words": "two words"}) for n in (1, 2)])

    client.delete_payload_index(name, "of.keyword")
    client.delete_payload_index(name, "never.made")

    schema = client.get_collection(name).payload_schema
    assert {key: index.data_type for key, index in schema.items() if key.startswith("of.")} == {
        f"of.{kind.value}": kind for kind in kinds if kind is not PayloadSchemaType.KEYWORD
    }
    assert schema["words"].points == 2
    assert schema["words"].params == models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WHITESPACE, min_token_len=2
    )
    assert schema["exact"].params == models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=False
    )


def test_a_text_index_finds_whole_words(client: QdrantClient, name: str) -> None:
    client.upsert(name, [PointStruct(id=1, vector={}, payload={"title": "A red Balloon"})])
    client.create_payload_index(
        name,
        "title",
        models.TextIndexParams(type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True),
    )

    def found(text: str) -> int:
        condition = models.FieldCondition(key="title", match=models.MatchText(text=text))
        return client.count(name, count_filter=models.Filter(must=[condition])).count

    assert (found("balloon red"), found("ball")) == (1, 0)


def test_an_alias_stands_wherever_the_name_may(client: QdrantClient, name: str) -> None:
    alias = f"alias-{name}"

    client.update_collection_aliases([to(alias, name)])

    client.upsert(alias, [PointStruct(id=1, vector={"image": [1.0, 2.0, 3.0]}, payload={"a": 1})])
    client.set_payload(alias, {"b": 2}, [1])
    client.create_payload_index(alias, "a", PayloadSchemaType.INTEGER)
    client.update_collection(alias, metadata={"seen": True})
    assert client.collection_exists(alias)
    assert client.get_collection(alias) == client.get_collection(name)
    assert client.retrieve(alias, [1])[0].payload == {"a": 1, "b": 2}
    assert client.query_points(alias, [1.0, 0.0, 0.0], using="image").points[0].id == 1
    assert [found.alias_name for found in client.get_collection_aliases(name).aliases] == [alias]
    assert aliases(client)[alias] == name


def test_an_alias_can_be_moved_renamed_and_taken_away(client: QdrantClient, name: str) -> None:
    other, first, second = f"{name}-other", f"{name}-1", f"{name}-2"
    create(client, other)
    client.update_collection_aliases([to(first, name)])

    client.update_collection_aliases([to(first, other)])
    assert aliases(client)[first] == other

    rename = RenameAliasOperation(rename_alias=RenameAlias(old_alias_name=first, new_alias_name=second))
    client.update_collection_aliases([rename])
    assert aliases(client)[second] == other
    assert first not in aliases(client)

    client.update_collection_aliases([without(second), without("never there")])
    assert second not in aliases(client)


def test_aliases_change_all_together_or_not_at_all(client: QdrantClient, name: str) -> None:
    client.update_collection_aliases([to(f"{name}-a", name)])

    with pytest.raises(UnexpectedResponse, match="`nowhere` doesn"):
        client.update_collection_aliases([without(f"{name}-a"), to(f"{name}-b", name), to(f"{name}-c", "nowhere")])

    assert [found.alias_name for found in client.get_collection_aliases(name).aliases] == [f"{name}-a"]


def test_a_deleted_collection_takes_its_aliases_along(client: QdrantClient, name: str) -> None:
    client.update_collection_aliases([to(f"{name}-a", name)])

    client.delete_collection(name)

    assert f"{name}-a" not in aliases(client)


def test_everything_is_there_again_after_a_restart(data: Path) -> None:
    with edge_process(data) as server, client_of(server) as client:
        create(client, "photos", metadata={"library": "b2"})
        create(client, "unwanted")
        client.create_payload_index("photos", "status", PayloadSchemaType.KEYWORD)
        client.upsert("photos", [PointStruct(id=1, vector={"image": [1.0, 2.0, 3.0]}, payload={"status": "indexed"})])
        client.update_collection_aliases([to("current", "photos")])
        client.delete_collection("unwanted")
        before = client.get_collection("photos"), client.retrieve("photos", [1], with_vectors=True)
        assert server.stop() == 0

    with edge_process(data) as server, client_of(server) as client:
        assert (client.get_collection("photos"), client.retrieve("photos", [1], with_vectors=True)) == before
        assert [listed.name for listed in client.get_collections().collections] == ["photos"]
        assert aliases(client) == {"current": "photos"}
