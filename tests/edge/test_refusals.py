"""What is refused: always in Qdrant's error form, so that qdrant-client raises UnexpectedResponse."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import Batch, Distance, FieldCondition, Filter, PayloadSchemaType, PointStruct, VectorParams

from tests.edge.library import DIMENSION, photos, rejection, rejections, vector

Attempt = Callable[[QdrantClient], Any]
NAME = "refusing"
REJECTED_ID = rejection(1).id
IMAGE = {"image": VectorParams(size=DIMENSION, distance=Distance.COSINE)}


@pytest.fixture(scope="module")
def filled(client: QdrantClient) -> QdrantClient:
    client.create_collection(NAME, vectors_config=IMAGE)
    client.upsert(NAME, photos() + rejections())
    client.update_collection_aliases([alias("refusing-alias", NAME)])
    return client


def alias(new: str, name: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(alias_name=new, collection_name=name))


def named(name: str) -> Attempt:
    return lambda on: on.create_collection(name, vectors_config=IMAGE)


def made_with(**settings: Any) -> Attempt:
    return lambda on: on.create_collection("never-made", **{"vectors_config": IMAGE, **settings})


def sized(size: int) -> Attempt:
    return made_with(vectors_config={"image": VectorParams(size=size, distance=Distance.DOT)})


def upserting(*points: PointStruct) -> Attempt:
    return lambda on: on.upsert(NAME, list(points))


def indexing(field: str, schema: PayloadSchemaType | models.KeywordIndexParams) -> Attempt:
    return lambda on: on.create_payload_index(NAME, field, schema)


def querying(query: Any, **more: Any) -> Attempt:
    return lambda on: on.query_points(NAME, query, **{"using": "image", **more})


def recommending(**examples: Any) -> Attempt:
    return querying(models.RecommendQuery(recommend=models.RecommendInput(**examples)))


def counting(**condition: Any) -> Attempt:
    return lambda on: on.count(NAME, count_filter=Filter(must=[FieldCondition(**condition)]))


REFUSED: dict[str, tuple[int, str, Attempt]] = {
    "a collection that is not there": (404, "`nowhere` doesn't exist", lambda on: on.get_collection("nowhere")),
    "its points": (404, "`nowhere` doesn't exist", lambda on: on.count("nowhere")),
    "writing to it": (404, "`nowhere` doesn't exist", lambda on: on.upsert("nowhere", photos())),
    "changing it": (404, "doesn't exist", lambda on: on.update_collection("nowhere", metadata={"a": 1})),
    "its aliases": (404, "doesn't exist", lambda on: on.get_collection_aliases("nowhere")),
    "a path for a name": (404, "", lambda on: on.get_collection("../../etc")),
    "a collection that is there": (409, "already exists", named(NAME)),
    "a collection with an alias's name": (400, "Alias", named("refusing-alias")),
    "a name with a dot": (400, "must be 1 to 128 of", named("a.b")),
    "a name with a space": (400, "must be 1 to 128 of", named("a b")),
    "a name with an accent": (400, "must be 1 to 128 of", named("é")),
    "too long a name": (400, "must be 1 to 128 of", named("n" * 129)),
    "no dimension": (422, "size: value 0", sized(0)),
    "too large a dimension": (422, "size: value 65537", sized(65537)),
    "a vector without a name": (400, "without a name", made_with(vectors_config=IMAGE["image"])),
    "settings we do not have": (400, "`on_disk_payload` is not supported", made_with(on_disk_payload=True)),
    "changing what cannot change": (
        400,
        "`params` is not supported",
        lambda on: on.update_collection(NAME, collection_params=models.CollectionParamsDiff(replication_factor=2)),
    ),
    "an alias to nothing": (404, "doesn't exist", lambda on: on.update_collection_aliases([alias("a", "nowhere")])),
    "an alias to an alias": (
        404, "doesn't exist", lambda on: on.update_collection_aliases([alias("a", "refusing-alias")])
    ),
    "an alias with a collection's name": (
        409, "already exists", lambda on: on.update_collection_aliases([alias(NAME, NAME)])
    ),
    "an alias that is no name": (400, "must be", lambda on: on.update_collection_aliases([alias("a/b", NAME)])),
    "renaming no alias": (
        404,
        "Alias nowhere",
        lambda on: on.update_collection_aliases(
            [
                models.RenameAliasOperation(
                    rename_alias=models.RenameAlias(old_alias_name="nowhere", new_alias_name="here")
                )
            ]
        ),
    ),
    "a geo index": (400, "'geo' is not one of", indexing("a", PayloadSchemaType.GEO)),
    "an index on no path": (400, "invalid JSON path", indexing("a[", PayloadSchemaType.KEYWORD)),
    "index settings we do not have": (
        400,
        "`is_tenant` is not supported",
        indexing("a", models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)),
    ),
    "a wrong dimension": (400, "expected dim: 4, got 2", upserting(PointStruct(id=1, vector={"image": [1.0, 2.0]}))),
    "an unknown vector": (400, "vector name error: nose", upserting(PointStruct(id=1, vector={"nose": vector(1)}))),
    "an unnamed vector": (400, "expected vectors by name", upserting(PointStruct(id=1, vector=vector(1)))),
    "an id that is no UUID": (400, "UUID", upserting(PointStruct(id="photo", vector={}))),
    "a negative id": (400, "id", upserting(PointStruct(id=-1, vector={}))),
    "too large an id": (400, "id", upserting(PointStruct(id=2**64, vector={}))),
    "columns of different length": (
        400,
        "must be a list of 2",
        lambda on: on.upsert(NAME, Batch(ids=[1, 2], vectors={"image": [vector(1)]})),
    ),
    "a sparse vector": (
        400,
        "expected a list of numbers",
        upserting(PointStruct(id=1, vector={"image": models.SparseVector(indices=[1], values=[1.0])})),
    ),
    "an upsert of nothing": (400, "Empty update request", upserting()),
    "a deletion of nothing": (400, "Empty update request", lambda on: on.delete(NAME, [])),
    "an upsert on a condition": (
        400, "`update_filter` is not supported", lambda on: on.upsert(NAME, photos(), update_filter=Filter())
    ),
    "payload for a point that is not there": (
        404, "No point with id 404", lambda on: on.set_payload(NAME, {"a": 1}, [404])
    ),
    "payload below no path": (400, "invalid JSON path", lambda on: on.set_payload(NAME, {"a": 1}, [1], key="a[")),
    "new vectors alone": (
        404, "not offered", lambda on: on.update_vectors(NAME, [models.PointVectors(id=1, vector={})])
    ),
    "vectors in a batch": (
        400,
        "`delete_vectors` is not supported",
        lambda on: on.batch_update_points(
            NAME, [models.DeleteVectorsOperation(delete_vectors=models.DeleteVectors(points=[1], vector=["image"]))]
        ),
    ),
    "a query of a wrong dimension": (400, "expected dim: 4, got 2", querying([1.0, 2.0])),
    "a query by an unknown vector": (400, "vector name error: nose", querying(vector(1), using="nose")),
    "a query by no vector": (400, "vector name error", querying(vector(1), using=None)),
    "a query by a point that is not there": (404, "No point with id 404", querying(404)),
    "a query by a point without a vector": (404, "Vector with name image", querying(REJECTED_ID)),
    "a query by no id": (400, "UUID", querying("photo")),
    "no limit": (422, "limit: value 0", querying(vector(1), limit=0)),
    "a limit below zero": (422, "limit: value -1", querying(vector(1), limit=-1)),
    "an offset below zero": (422, "offset: value -1", querying(vector(1), offset=-1)),
    "a threshold without a query": (400, "A query is needed", querying(None, score_threshold=0.5)),
    "a prefetch": (400, "`prefetch` is not supported", querying(vector(1), prefetch=models.Prefetch(query=vector(2)))),
    "search settings we do not have": (
        400, "`indexed_only` is not", querying(vector(1), search_params=models.SearchParams(indexed_only=True))
    ),
    "a random sample": (400, "`sample` is not", querying(models.SampleQuery(sample=models.Sample.RANDOM), using=None)),
    "a recommendation from nothing": (400, "At least one positive", recommending()),
    "a recommendation from dislikes": (400, "At least one positive", recommending(negative=[1])),
    "examples of different length": (400, "differ in length", recommending(positive=[vector(1), [1.0]])),
    "unknown vectors of a result": (400, "name error: nose", querying(vector(1), with_vectors=["nose"])),
    "one bad query among good ones": (
        400,
        "expected dim: 4, got 1",
        lambda on: on.query_batch_points(
            NAME, [models.QueryRequest(query=query, using="image") for query in (vector(1), [1.0])]
        ),
    ),
    "an order without an index": (400, "No range index", lambda on: on.scroll(NAME, order_by="size_bytes")),
    "an order with an offset": (400, "", lambda on: on.scroll(NAME, order_by="size_bytes", offset=3)),
    "a page of none": (422, "limit: value 0", lambda on: on.scroll(NAME, limit=0)),
    "a filter on no path": (400, "invalid JSON path", counting(key="a[", match=models.MatchValue(value=1))),
    "a filter on a place": (
        400,
        "`geo_radius` is not supported",
        counting(key="a", geo_radius=models.GeoRadius(center=models.GeoPoint(lon=1, lat=1), radius=1)),
    ),
    "a condition on nothing": (400, "at least one field condition", counting(key="a")),
    "groups": (404, "not offered", lambda on: on.query_points_groups(NAME, "path", vector(1), using="image")),
    "facets": (404, "not offered", lambda on: on.facet(NAME, "path")),
    "snapshots": (404, "not offered", lambda on: on.list_snapshots(NAME)),
}  # fmt: skip


@pytest.mark.parametrize(("status", "sentence", "attempt"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_the_reason(filled: QdrantClient, status: int, sentence: str, attempt: Attempt) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        attempt(filled)

    assert caught.value.status_code == status
    assert sentence in caught.value.structured()["status"]["error"]


POINTS = f"/collections/{NAME}/points"
RAW: dict[str, tuple[str, str, bytes]] = {
    "no JSON": ("PUT", POINTS, b"{"),
    "no body": ("PUT", POINTS, b""),
    "not UTF-8": ("PUT", POINTS, b'{"points":[{"id":1,"vector":{},"payload":{"a":"\xff"}}]}'),
    "a list for a body": ("PUT", POINTS, b"[]"),
    "null for a body": ("PUT", POINTS, b"null"),
    "no points": ("PUT", POINTS, b"{}"),
    "points that are none": ("PUT", POINTS, b'{"points":[1]}'),
    "points in an object": ("PUT", POINTS, b'{"points":{}}'),
    "a point without id": ("PUT", POINTS, b'{"points":[{"vector":{}}]}'),
    "a point without vectors": ("PUT", POINTS, b'{"points":[{"id":1}]}'),
    "an id that is true": ("PUT", POINTS, b'{"points":[{"id":true,"vector":{}}]}'),
    "an id with a fraction": ("PUT", POINTS, b'{"points":[{"id":1.5,"vector":{}}]}'),
    "words in a vector": ("PUT", POINTS, b'{"points":[{"id":1,"vector":{"image":["a","b","c","d"]}}]}'),
    "not a number in a vector": ("PUT", POINTS, b'{"points":[{"id":1,"vector":{"image":[NaN,1,1,1]}}]}'),
    "a list for a payload": ("PUT", POINTS, b'{"points":[{"id":1,"vector":{},"payload":[]}]}'),
    "columns in a list": ("PUT", POINTS, b'{"batch":{"ids":[1],"vectors":[[1,2,3,4]]}}'),
    "nothing chosen": ("POST", POINTS + "/delete", b"{}"),
    "two choices": ("POST", POINTS + "/delete", b'{"points":[1],"filter":{}}'),
    "an unknown operation": ("POST", POINTS + "/batch", b'{"operations":[{"explode":{}}]}'),
    "two operations in one": ("POST", POINTS + "/batch", b'{"operations":[{"delete":{"points":[]},"upsert":{}}]}'),
    "a query in words": ("POST", POINTS + "/query", b'{"query":{"nearest":{"text":"a cat"}},"using":"image"}'),
    "a limit in words": ("POST", POINTS + "/query", b'{"query":[1,2,3,4],"using":"image","limit":"all"}'),
    "a vast limit": ("POST", POINTS + "/query", b'{"query":[1,2,3,4],"using":"image","limit":18446744073709551615}'),
    "a threshold in words": ("POST", POINTS + "/query", b'{"query":[1,2,3,4],"using":"image","score_threshold":"a"}'),
    "examples that are none": ("POST", POINTS + "/query", b'{"query":{"recommend":{"positive":1}},"using":"image"}'),
    "words in an example": ("POST", POINTS + "/query", b'{"query":{"recommend":{"positive":[["a"]]}},"using":"image"}'),
    "an unknown strategy": (
        "POST", POINTS + "/query", b'{"query":{"recommend":{"positive":[1],"strategy":"luck"}},"using":"image"}'
    ),
    "searches that are none": ("POST", POINTS + "/query/batch", b'{"searches":[1]}'),
    "a payload choice in numbers": ("POST", POINTS, b'{"ids":[1],"with_payload":[1]}'),
    "a vector choice in numbers": ("POST", POINTS, b'{"ids":[1],"with_vector":1}'),
    "ids in words": ("POST", POINTS, b'{"ids":"all"}'),
    "an offset in words": ("POST", POINTS + "/scroll", b'{"offset":"start"}'),
    "an order by number": ("POST", POINTS + "/scroll", b'{"order_by":1}'),
    "an unknown direction": ("POST", POINTS + "/scroll", b'{"order_by":{"key":"a","direction":"sideways"}}'),
    "an unhashable direction": ("POST", POINTS + "/scroll", b'{"order_by":{"key":"a","direction":[]}}'),
    "a filter in words": ("POST", POINTS + "/count", b'{"filter":"all"}'),
    "a clause in words": ("POST", POINTS + "/count", b'{"filter":{"must":["all"]}}'),
    "an unknown clause": ("POST", POINTS + "/count", b'{"filter":{"may":[]}}'),
    "an unknown condition": ("POST", POINTS + "/count", b'{"filter":{"must":[{"nested":{"key":"a","filter":{}}}]}}'),
    "too deep a filter": (
        "POST", POINTS + "/count", b'{"filter":' + b'{"must":[' * 100 + b"]}" * 100 + b"}"
    ),
    "too deep a payload": (
        "PUT", POINTS, b'{"points":[{"id":1,"vector":{},"payload":{"a":' + b"[" * 200 + b"]" * 200 + b"}}]}"
    ),
    "too deep metadata": ("PATCH", f"/collections/{NAME}", b'{"metadata":{"a":' + b"[" * 200 + b"]" * 200 + b"}}"),
    "a key that is a number": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":1,"is_empty":true}]}}'),
    "a match of nothing": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":"a","match":{}}]}}'),
    "a match of a fraction": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":"a","match":{"value":1.5}}]}}'),
    "a mixed match": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":"a","match":{"any":[1,"a"]}}]}}'),
    "a mixed range": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":"a","range":{"gt":1,"lt":"2024"}}]}}'),
    "a range of no dates": ("POST", POINTS + "/count", b'{"filter":{"must":[{"key":"a","range":{"gt":"soon"}}]}}'),
    "ids of lists": ("POST", POINTS + "/count", b'{"filter":{"must":[{"has_id":[[1]]}]}}'),
    "an index without schema": ("PUT", f"/collections/{NAME}/index", b'{"field_name":"a"}'),
    "an index of a list": ("PUT", f"/collections/{NAME}/index", b'{"field_name":"a","field_schema":["keyword"]}'),
    "an unknown tokenizer": (
        "PUT", f"/collections/{NAME}/index", b'{"field_name":"a","field_schema":{"type":"text","tokenizer":["a"]}}'
    ),
    "tokens of length words": (
        "PUT", f"/collections/{NAME}/index", b'{"field_name":"a","field_schema":{"type":"text","min_token_len":"a"}}'
    ),
    "vectors of words": ("PUT", "/collections/never-made", b'{"vectors":{"image":"large"}}'),
    "an unknown distance": ("PUT", "/collections/never-made", b'{"vectors":{"image":{"size":3,"distance":"Far"}}}'),
    "a collection without vectors": ("PUT", "/collections/never-made", b"{}"),
    "metadata in a list": ("PATCH", f"/collections/{NAME}", b'{"metadata":[]}'),
    "actions in an object": ("POST", "/collections/aliases", b'{"actions":{}}'),
    "an unknown action": ("POST", "/collections/aliases", b'{"actions":[{"swap_alias":{}}]}'),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), RAW.values(), ids=RAW)
def test_a_body_that_no_client_sends_is_refused_too(
    filled: QdrantClient, edge_server: str, method: str, path: str, body: bytes
) -> None:
    assert filled.collection_exists(NAME)

    answer = httpx.request(method, edge_server + path, content=body, headers={"content-type": "application/json"})

    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["status"]["error"]


def test_what_was_refused_has_changed_nothing(filled: QdrantClient) -> None:
    assert filled.count(NAME).count == len(photos() + rejections())
    assert filled.get_collection(NAME).payload_schema == {}
    assert not filled.collection_exists("never-made")
