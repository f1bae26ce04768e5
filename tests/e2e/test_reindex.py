"""`lookalike reindex` on a running system: searches go on, both generations follow the library, nothing is left."""

import json
import random
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from lookalike import Client
from lookalike.broker.app import redis_of
from lookalike.system.generation_file import GenerationFile
from tests.local.conftest import Machine
from tests.programs.reindexing import Searching, await_status, change, lookalike, photos, switched, up, verified
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

PHOTOS = 40
LASTING = 10
CHANGES = 20
PATIENCE_S = 120.0
SETTINGS = {"LOOKALIKE_INGEST_PROCESSES": "1"}
CLEAN = {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 0, "pending": 0, "checked": 20, "wrong": 0}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("reindex"))
    photos(machine.library, PHOTOS)
    tiny_model(machine.tmp_path / "old.onnx", copies=True)
    tiny_model(machine.tmp_path / "new.onnx", seed=1, name="other", copies=True)
    yield machine
    machine.clear()


@pytest.fixture(scope="module")
def client(machine: Machine) -> Iterator[Client]:
    with up(machine, machine.tmp_path / "old.onnx", **SETTINGS) as client:
        yield client


def collections(machine: Machine) -> set[str]:
    assert machine.running is not None
    with closing(store_of(machine.running)) as store:
        return {collection.name for collection in store.get_collections().collections}


def test_searches_go_on_while_the_model_changes_and_the_switch_is_seen_once(machine: Machine, client: Client) -> None:
    names = [file.path for file in client.list()]
    names.sort()
    searching, changing = Searching(client, names[:LASTING], 10.0), names[LASTING:]
    chance = random.Random(1)
    with searching.going_on():
        done = lookalike(machine, "reindex", "--model", "new.onnx")
        assert "is filling" in done.stdout, done.stderr
        for at in range(CHANGES):
            change(machine.library, changing, chance, PHOTOS + at)
        await_status(client, switched, PATIENCE_S)
        searched = len(searching.seen)
        wait_until(lambda: len(searching.seen) > searched + LASTING)

    assert searching.failed == []
    assert searching.switches() == 1
    assert client.status().model == "other"
    assert verified(machine, 20) == CLEAN
    assert "kept" in lookalike(machine, "status").stdout


def test_what_is_held_can_be_compared_and_cancelled_and_nothing_of_it_is_left(machine: Machine, client: Client) -> None:
    before = collections(machine)
    embedded = client.status().embedded_total
    refused = lookalike(machine, "compare", "--model", "new.onnx")
    assert (refused.returncode, "reindex --model new.onnx --hold" in refused.stderr) == (1, True)
    lookalike(machine, "reindex", "--distance", "euclid", "--hold")
    await_status(client, lambda status: status.reindex is not None and status.reindex.state == "held", PATIENCE_S)
    assert len(collections(machine)) == len(before) + 1

    sheet = machine.tmp_path / "compared.png"
    found = json.loads(lookalike(machine, "compare", "--json", "--queries", "20", "--sheet", str(sheet)).stdout)

    # The vectors are the same ones: copied, and compared by another metric.
    assert found["overlap_at_10"] == 1.0
    assert found["searched"]["map"] == found["next"]["map"]
    assert sheet.stat().st_size
    assert machine.log("reindex").count("'embedded': 0, 'copied': ")
    assert client.status().embedded_total == embedded
    with redis_of(client.settings) as redis:
        assert [*redis.scan_iter("lookalike-next:*")]
        assert "Nothing of it is left" in lookalike(machine, "reindex", "--cancel").stdout
        assert not [*redis.scan_iter("lookalike-next:*")]
    assert collections(machine) == before
    assert client.status().reindex is None
    wait_until(lambda: not machine.pids("lookalike-next") and not machine.pids("lookalike.local.reindexing"))


def test_the_first_one_is_brought_up_to_date_before_it_is_searched_again(machine: Machine, client: Client) -> None:
    first = GenerationFile(machine.folder.root).kept()
    assert first is not None
    machine.send(signal.SIGTERM)
    machine.ended(30)
    client.close()
    (machine.library / "late.png").write_bytes((machine.library / "0" / "0.png").read_bytes())
    with up(machine, None, **SETTINGS) as again:
        assert again.status().model == "other"

        lookalike(machine, "reindex", "--switch-back")
        await_status(again, switched, PATIENCE_S)

        assert again.status().model == "tiny"
        assert verified(machine, 20) == CLEAN
        assert "dropped" in lookalike(machine, "reindex", "--drop-old").stdout
        assert collections(machine) == {first.collection}
        assert again.status().kept is None
