"""Verdicts travel with the index, of a system without a data folder too: there the store alone knows them."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from lookalike.duplicates.verdicts import PairVerdict, Verdict, parse_line
from lookalike.errors import CollectionMismatch, Refused
from lookalike.settings import Settings
from models.contract import ModelCard
from tests.support.edge import EdgeProcess, client_of, edge_process
from tests.worker.moving.drawn import card, filled
from worker.moving.__main__ import run
from worker.moving.collections import OwnCollection, alias_target
from worker.verdicts.points import VerdictPoints

EARLIER, LATER = "2026-11-29T00:00:00.000000Z", "2026-11-30T00:00:00.000000Z"
COUNT = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """Another store."""
    with edge_process(tmp_path_factory.mktemp("there") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def there(server: EdgeProcess) -> Iterator[QdrantClient]:
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(models: Path) -> ModelCard:
    return card(models)


@pytest.fixture
def settings(edge: QdrantClient, model: ModelCard, models: Path) -> Settings:
    """Of a system with an index and two verdicts at the store."""
    settings = Settings(name=f"told-{uuid4().hex[:8]}", qdrant_url=url_of(edge), model=str(models / "tiny-0-True.onnx"))
    filled(edge, model, settings.name, COUNT)
    tell(edge, settings.name, pair(1, 2), pair(1, 3, "none", LATER))
    return settings


def url_of(client: QdrantClient) -> str:
    return str(client._client.rest_uri)  # type: ignore[attr-defined]  # noqa: SLF001


def pair(a: int, b: int, verdict: Verdict = "keep-both", at: str = EARLIER) -> PairVerdict:
    return PairVerdict(a=f"{a:064x}", b=f"{b:064x}", verdict=verdict, at=at)


def tell(store: QdrantClient, system: str, *verdicts: PairVerdict) -> None:
    points = VerdictPoints(store, system)
    points.ensure()
    points.write(verdicts)


def known(store: QdrantClient, system: str) -> set[str]:
    return {verdict.line for verdict in VerdictPoints(store, system).read()}


def moved(settings: Settings, what: str, **given: Any) -> dict[str, Any]:
    return run(settings, Namespace(what=what, name=None, **given))


@pytest.mark.parametrize("form", ["npz", "jsonl", "parquet"])
def test_an_import_merges_those_of_the_file_and_of_a_pair_the_newer_counts(
    edge: QdrantClient, settings: Settings, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"out.{form}"
    exported = moved(settings, "export", file=file)
    elsewhere = settings.model_copy(update={"name": f"told-{uuid4().hex[:8]}"})
    tell(edge, elsewhere.name, pair(1, 2, "not-duplicates", LATER), pair(1, 3), pair(4, 5))

    imported = moved(elsewhere, "import", file=file)

    assert (exported["verdicts"], imported["written"], imported["verdicts"]) == (2, COUNT, 1)
    newest = {pair(1, 2, "not-duplicates", LATER), pair(1, 3, "none", LATER), pair(4, 5)}
    assert known(edge, elsewhere.name) == {verdict.line for verdict in newest}
    assert moved(elsewhere, "import", file=file)["verdicts"] == 0


def test_a_system_without_verdicts_gets_no_collection_for_it(
    edge: QdrantClient, model: ModelCard, tmp_path: Path
) -> None:
    settings = Settings(name=f"told-{uuid4().hex[:8]}", qdrant_url=url_of(edge))
    filled(edge, model, settings.name, COUNT)

    assert moved(settings, "export", file=tmp_path / "out.npz")["verdicts"] == 0
    assert not VerdictPoints(edge, settings.name).exist()


def test_a_backup_brings_them_back_to_store_and_data_folder(
    settings: Settings, server: EdgeProcess, there: QdrantClient, tmp_path: Path
) -> None:
    moved(settings, "export", file=tmp_path / "index.npz")
    data = tmp_path / "restored"
    data.mkdir()
    target = settings.model_copy(update={"qdrant_url": server.url, "data": data})

    restored = moved(target, "restore", file=tmp_path / "index.npz")

    expected = {pair(1, 2).line, pair(1, 3, "none", LATER).line}
    assert restored["verdicts"] == 2
    assert known(there, settings.name) == expected
    assert {parse_line(line).line for line in (data / "verdicts.jsonl").read_text().splitlines()} == expected


def test_a_migration_carries_them_and_leaves_what_a_reindex_fills_in(
    edge: QdrantClient, model: ModelCard, settings: Settings, server: EdgeProcess, there: QdrantClient
) -> None:
    second = filled(edge, model, settings.keys.next.system, COUNT)
    before = {collection.name for collection in there.get_collections().collections}

    done = moved(settings, "migrate", to=server.url)

    copy = OwnCollection.behind(there, settings.name)
    made = {collection.name for collection in there.get_collections().collections} - before
    assert (done["points"], done["verdicts"], done["left"]) == (COUNT, 2, second.name)
    assert made == {copy.name, f"{settings.name}-verdicts"}
    assert known(there, settings.name) == known(edge, settings.name)
    assert moved(settings, "migrate", to=server.url)["verdicts"] == 0


def test_what_is_not_ours_at_the_target_is_refused_before_the_copy_can_be_used(
    settings: Settings, server: EdgeProcess, there: QdrantClient
) -> None:
    theirs = f"{settings.name}-verdicts"
    there.create_collection(theirs, vectors_config={"x": VectorParams(size=2, distance=Distance.DOT)})

    with pytest.raises(CollectionMismatch, match="was not made by lookalike for verdicts"):
        moved(settings, "migrate", to=server.url)
    assert alias_target(there, settings.name) is None
    assert there.count(theirs).count == 0


def test_a_verdict_of_another_form_is_told_and_none_is_taken(
    edge: QdrantClient, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    moved(settings, "export", file=file)
    file.write_text(file.read_text() + '{"verdict": {"v": 2, "what": "of a later version"}}\n')
    elsewhere = settings.model_copy(update={"name": f"told-{uuid4().hex[:8]}"})

    with pytest.raises(Refused, match="none of the verdicts: one cannot be read"):
        moved(elsewhere, "import", file=file)
    assert not VerdictPoints(edge, elsewhere.name).exist()
