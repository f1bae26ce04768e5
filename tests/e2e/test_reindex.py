"""`lookalike reindex` on a running system: searches go on, both generations follow the library, nothing is left."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import closing
from subprocess import CompletedProcess

import pytest

from lookalike import Client
from lookalike.broker.app import redis_of
from lookalike.client.status import Status
from lookalike.system.data_folder import DataFolder
from lookalike.system.generation_file import GenerationFile
from tests.local.conftest import Machine
from tests.programs.reindexing import Searching, await_status, change, photos, switched
from tests.support.commands import typed
from tests.support.lean_system import lean_system
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

PHOTOS = 24
LASTING = 6
CHANGES = 12
DEEP = 10
PATIENCE_S = 120.0
CLEAN = {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 0, "pending": 0, "checked": DEEP, "wrong": 0}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("reindex"))
    photos(machine.library, PHOTOS)
    tiny_model(machine.tmp_path / "old.onnx", copies=True)
    tiny_model(machine.tmp_path / "new.onnx", seed=1, name="other", copies=True)
    yield machine
    machine.kill()


@pytest.fixture(scope="module")
def client(machine: Machine) -> Iterator[Client]:
    with up(machine, LOOKALIKE_MODEL=str(machine.tmp_path / "old.onnx")) as client:
        yield client


def up(machine: Machine, **settings: str) -> Client:
    """Starts the system, and waits until it has indexed the library."""
    data = machine.folder.root
    machine.start(lean_system(data, machine.library), LOOKALIKE_INGEST_PROCESSES="1", **settings)
    client = Client(data=data)
    await_status(client, lambda status: status.is_done and status.indexed == status.discovered > 0, PATIENCE_S)
    return client


def command(machine: Machine, *words: str) -> CompletedProcess[str]:
    """What a command prints that is about the data folder of the machine."""
    where = ("--data", str(machine.folder.root))
    return typed(words[0], *where, *words[1:], cwd=machine.tmp_path, environment={})


def verified(machine: Machine) -> dict[str, int]:
    """What `verify --deep` counts."""
    found: dict[str, int] = json.loads(command(machine, "verify", "--json", "--deep", str(DEEP)).stdout)
    return found


def is_held(status: Status) -> bool:
    return status.reindex is not None and status.reindex.state == "held"


def second_system(machine: Machine) -> list[str]:
    """What runs of it, and the program that carries out a reindex."""
    words = [word for command in machine.processes().values() for word in command]
    return [word for word in words if "lookalike-next" in word or word == "lookalike.local.reindex_service"]


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
        done = command(machine, "reindex", "--model", "new.onnx")
        assert "is filling" in done.stdout, done.stderr
        for at in range(CHANGES):
            change(machine.library, changing, chance, PHOTOS + at)
        await_status(client, switched, PATIENCE_S)
        searched = len(searching.seen)
        wait_until(lambda: len(searching.seen) > searched + LASTING)

    assert searching.failed == []
    assert searching.switches() == 1
    assert client.status().model == "other"
    assert verified(machine) == CLEAN
    assert "kept" in command(machine, "status").stdout


def test_what_is_held_can_be_compared_and_cancelled_and_nothing_of_it_is_left(machine: Machine, client: Client) -> None:
    before = collections(machine)
    embedded = client.status().embedded_total
    refused = command(machine, "compare", "--model", "new.onnx")
    assert (refused.returncode, "reindex --model new.onnx --hold" in refused.stderr) == (1, True)
    command(machine, "reindex", "--distance", "euclid", "--hold")
    await_status(client, is_held, PATIENCE_S)
    assert len(collections(machine)) == len(before) + 1

    sheet = machine.tmp_path / "compared.png"
    words = ("--json", "--queries", str(PHOTOS), "--sheet", str(sheet))
    found = json.loads(command(machine, "compare", *words).stdout)
    # Of the index that is searched, while another one is there.
    kept = json.loads(command(machine, "backup", "kept", "--json").stdout)

    # The vectors are the same ones: copied, and compared by another metric.
    assert found["overlap_at_10"] == 1.0
    assert found["searched"]["map"] == found["next"]["map"]
    assert sheet.stat().st_size
    outcomes = re.findall(r"lookalike\.sync\[\S+ succeeded in \S+ (.*) task=", machine.log("reindex"))
    assert "copied" in {outcome.partition(" ")[2] for outcome in outcomes}
    assert client.status().embedded_total == embedded
    served = GenerationFile(machine.folder.root).served()
    assert served is not None
    assert kept["collection"] == served.collection
    with redis_of(client.settings) as redis:
        assert [*redis.scan_iter("lookalike-next:*")]
        assert len(second_system(machine)) > 1
        assert "Nothing of it is left" in command(machine, "reindex", "--cancel").stdout
        assert not [*redis.scan_iter("lookalike-next:*")]
    assert collections(machine) == before
    assert client.status().reindex is None
    wait_until(lambda: not second_system(machine), every_s=0.1)


def test_the_first_one_is_brought_up_to_date_before_it_is_searched_again(machine: Machine, client: Client) -> None:
    first = GenerationFile(machine.folder.root).kept()
    assert first is not None
    client.close()
    machine.kill()
    (machine.library / "late.png").write_bytes((machine.library / "0" / "0.png").read_bytes())
    with up(machine) as again:
        assert again.status().model == "other"

        command(machine, "reindex", "--switch-back")
        await_status(again, switched, PATIENCE_S)

        assert again.status().model == "tiny"
        assert verified(machine) == CLEAN
        assert "dropped" in command(machine, "reindex", "--drop-old").stdout
        assert collections(machine) == {first.collection}
        assert again.status().kept is None


def test_a_backup_serves_what_was_switched_to_also_where_its_model_is_gone(machine: Machine) -> None:
    """The backup of the second test: `other` was searched then."""
    machine.kill()
    (machine.tmp_path / "new.onnx").unlink()
    machine.folder = DataFolder(machine.tmp_path / "restored")
    done = command(machine, "restore", "kept")
    assert done.returncode == 0, done.stderr
    # The model is that of the switch where nothing runs, too.
    assert json.loads(command(machine, "import", "kept/index.npz", "--json").stdout)["written"] == 0

    with up(machine) as client:
        status = client.status()
        found = client.search("1/1.png", limit=1).result(timeout_s=30)
        # One file came after the backup, with the bytes of another.
        assert (status.model, status.embedded_total, status.kept) == ("other", 0, None)
        assert found[0].path == "1/1.png"
        assert verified(machine) == CLEAN
