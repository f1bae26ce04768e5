"""Every request that a worker sends is one that Qdrant's published OpenAPI knows.

qdrant-client's `http` package is generated from that document: its routes, their parameters, and the types of their
bodies, which allow no unknown field. It stands for the document here; the requests are taken from the wire.
"""

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import TypeAdapter, ValidationError
from qdrant_client import QdrantClient
from qdrant_client.http import api, models

from lookalike.messages import (
    ImageByPath,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    SearchExample,
    SearchManyMessage,
    SearchMessage,
    SearchQuery,
    SyncMessage,
    VerdictsReply,
)
from lookalike.search.filters import SearchFilter
from tests.support.edge import edge_process
from tests.support.faulty.recorder import Asked, recorded
from tests.support.pictures import draw
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import INDEXED_FIELDS
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import Embedder
from worker.read import ReadQueries
from worker.searching.example_vectors import Decodes
from worker.searching.search import Bounds, Search
from worker.syncing.sync import Sync

OK = 200


@dataclasses.dataclass(frozen=True)
class Route:
    """A request that the document knows."""

    method: str
    path: str
    query: frozenset[str]
    body: str | None

    def fits(self, asked: Asked) -> bool:
        """Whether it is this route that was asked."""
        return (
            self.method == asked.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", self.path), asked.path) is not None
        )


def routes() -> list[Route]:
    """All of them, those with the fewest free places first: `points/query` is no point's id."""
    sources = (path.read_text("utf-8") for path in Path(api.__path__[0]).glob("*_api.py"))
    functions = [
        node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
    ]
    found = {route for function in functions if function.name.startswith("_build_for_") for route in _route(function)}
    return sorted(found, key=lambda route: route.path.count("{"))


def faults(asked: Asked, known: list[Route]) -> list[str]:
    """What the document has against a request."""
    route = next((route for route in known if route.fits(asked)), None)
    if route is None:
        return [f"no route {asked.method} {asked.path}"]
    unknown = {name for name, _ in parse_qsl(asked.query)} - route.query
    said = [f"{route.path}: no parameter {name}" for name in unknown]
    if route.body is None:
        return said + ([f"{route.path}: takes no body"] if asked.body else [])
    try:
        TypeAdapter(getattr(models, route.body)).validate_python(json.loads(asked.body))
    except ValidationError as error:
        return [*said, f"{route.path}: {error}"]
    return said


@pytest.fixture(scope="module")
def known() -> list[Route]:
    return routes()


@pytest.fixture
def between(tmp_path: Path) -> Iterator[tuple[QdrantClient, list[Asked]]]:
    """A client of a real store, and what went over the wire."""
    with edge_process(tmp_path / "store") as edge, recorded(edge.url) as (url, asked):
        client = QdrantClient(url=url, check_compatibility=False)
        yield client, asked
        client.close()


def test_all_that_a_worker_asks_is_in_the_document(
    between: tuple[QdrantClient, list[Asked]],
    known: list[Route],
    root: Path,
    embedder: Embedder,
    opened: Decodes,
    sync: Sync,
) -> None:
    client, asked = between
    card = embedder.card
    ensure(client, CollectionSpec("contract", card, "dot", library_id="the-library"))
    standing = ensure(client, CollectionSpec("contract", card, "cosine", library_id="the-library"), rebuild=True)
    index = QdrantIndex(client, standing.name, vectors=standing.identity.vectors)
    sync = dataclasses.replace(sync, index=index)
    search = Search(index, embedder, opened, lambda _: None, "cosine", embedder.dimensions, Bounds())
    read_queries = ReadQueries(
        index, standing.identity, max_sample_files=2000, verdicts=lambda _ask: VerdictsReply(verdicts=[])
    )

    for seed in range(5):
        draw(root / "folder" / f"{seed}.png", seed)
    (root / "bad.png").write_bytes(b"nothing")
    (root / "copy.png").write_bytes((root / "folder" / "1.png").read_bytes())
    paths = [f"folder/{seed}.png" for seed in range(5)]
    sync.sync_paths(SyncMessage(paths=[*paths, "bad.png"]))
    sync.sync_paths(SyncMessage(paths=["copy.png"]))
    (root / "folder" / "0.png").unlink()
    sync.sync_paths(SyncMessage(gone=["folder/0.png"], library="the-library"))
    example = SearchExample(image=ImageByPath(path="folder/1.png"))
    found = search.find_neighbours(SearchMessage(examples=[example], limit=3))
    wanted = SearchFilter.model_validate(
        {"folder": "folder", "format": "PNG", "size_bytes": {"gte": 1}, "indexed_at": {"gte": "2020", "lte": "2100"}}
    )
    narrow = SearchMessage(examples=[example, example], offset=1, limit=3, filter=wanted, score_threshold=-1.0)
    paged = search.find_neighbours(narrow)
    pieces = search.find_neighbours(SearchMessage(by="copy", examples=[example], limit=3))
    alone = SearchMessage(examples=[example], filter=SearchFilter(path="*.png"), exclude_self=True, group_exact=True)
    others = search.find_neighbours(alone).neighbours
    whole = SearchFilter.model_validate("orientation=landscape modified_at>=2020")
    many = search.find_many(SearchManyMessage(queries=[alone, SearchQuery(examples=[example], filter=whole)]))
    counts = read_queries.answer(ReadMessage(ask=ReadCounts()))
    read_queries.answer(ReadMessage(ask=ReadKnown(paths=paths)))
    read_queries.answer(ReadMessage(ask=ReadPage(limit=2, status="indexed", under="folder")))

    assert [fault for each in asked for fault in faults(each, known)] == []
    assert {each.status for each in asked} == {OK}
    assert set(client.get_collection("contract").payload_schema) == set(INDEXED_FIELDS)
    assert (counts.indexed, counts.rejected) == (5, 1)  # type: ignore[union-attr]
    assert {neighbour.path for neighbour in found.neighbours[:2]} == {"folder/1.png", "copy.png"}
    assert [neighbour.path for neighbour in paged.neighbours][:1] != ["folder/1.png"]
    assert len(paged.neighbours) == 3
    assert {neighbour.path for neighbour in pieces.neighbours[:2]} == {"folder/1.png", "copy.png"}
    assert {neighbour.path for neighbour in others} == {f"folder/{seed}.png" for seed in (2, 3, 4)}
    assert (many.replies[0].neighbours, len(many.replies[1].neighbours)) == (others, 5)
    kinds = {(each.method, each.path.rpartition("/")[2]) for each in asked}
    assert {("PUT", "points"), ("POST", "delete"), ("POST", "query"), ("POST", "scroll"), ("POST", "count")} <= kinds
    assert ("POST", "batch") in kinds


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (Asked("POST", "/collections/c/points/find", "", b"{}", OK), "no route"),
        (Asked("POST", "/collections/c/points/query", "", b'{"query": [0.1], "nearest": 3}', OK), "nearest"),
        (Asked("POST", "/collections/c/points/scroll", "pretty=1", b'{"limit": 3}', OK), "no parameter pretty"),
        (Asked("POST", "/collections/c/points/scroll", "", b'{"limit": "many"}', OK), "limit"),
    ],
)
def test_what_the_document_does_not_know_is_noticed(asked: Asked, fault: str, known: list[Route]) -> None:
    (said,) = faults(asked, known)

    assert fault in said


def _route(function: ast.FunctionDef) -> Iterator[Route]:
    """What a generated function would send."""
    types = {argument.arg: ast.unparse(argument.annotation or ast.Constant(None)) for argument in function.args.args}
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    encoded = [_name(call.args[0]) for call in calls if _name(call.func) == "jsonable_encoder"]
    query = {
        str(node.slice.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript)
        and _name(node.value) == "query_params"
        and isinstance(node.slice, ast.Constant)
    }
    body = types[encoded[0]].removeprefix("m.") if encoded else None
    for call in calls:
        given = {word.arg: word.value for word in call.keywords}
        method, url = given.get("method"), given.get("url")
        if isinstance(method, ast.Constant) and isinstance(url, ast.Constant):
            yield Route(str(method.value), str(url.value), frozenset(query), body)


def _name(node: Any) -> str:
    return node.id if isinstance(node, ast.Name) else ""
