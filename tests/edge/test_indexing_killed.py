"""Whatever dies while an index is built, and at whichever step: what was acknowledged is there, once."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from tests.edge.acknowledged import Acknowledged, ident
from tests.edge.steps import ends, held_while_optimizing, hosts, is_optimizing, optimizer, shards
from tests.support.edge import EdgeProcess, client_of, edge_process
from tests.support.waiting import wait_until

ABOVE = ("--hnsw-threshold", "500")
POINTS = 1500
MIB = 1 << 20
UNSHARE = shutil.which("unshare")

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")


def named(data: Path) -> set[str]:
    """Folders that the catalogue names."""
    collections = orjson.loads((data / "catalogue.json").read_bytes())["collections"]
    return {entry["folder"] for entry in collections.values()}


STEPS: dict[str, Callable[[EdgeProcess, Path], object]] = {
    "it begins": lambda server, _: "indexing begins" in server.log.read_text(),
    "it copies": lambda server, data: optimizer(server) is not None and len(shards(data)) == 2,
    "it optimizes": lambda server, _: is_optimizing(server),
    "it hands over": lambda server, _: len(hosts(server)) == 2,
    "it took over": lambda server, _: ends(server) > 0,
}


class Writer(threading.Thread):
    """Writes until the server dies; the points of the write that was not answered may be there or not."""

    def __init__(self, url: str, photos: Acknowledged) -> None:
        super().__init__()
        self._client = QdrantClient(url=url, check_compatibility=False)
        self._photos = photos
        self.unanswered: set[object] = set()

    def run(self) -> None:
        try:
            for round_ in range(100_000):
                first = POINTS + 40 * round_
                self._do(self._photos.upsert, range(first, first + 40))
                self._do(self._photos.edit, range(first, first + 20), round=round_)
                self._do(self._photos.delete, range(first + 10, first + 30))
                self._do(self._photos.upsert, range(40), salt=round_)
        except ApiException:
            pass
        finally:
            self._client.close()

    def _do(self, write: Callable[..., None], numbers: range, **more: int) -> None:
        self.unanswered = {ident(number) for number in numbers}
        write(self._client, numbers, **more)
        self.unanswered = set()


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_of_the_server_loses_nothing(step: str, data: Path) -> None:
    photos = Acknowledged("photos")
    with edge_process(data, None, *ABOVE) as server, client_of(server) as client:
        photos.create(client)
        photos.upsert(client, range(POINTS))
        writer = Writer(server.url, photos)
        writer.start()
        wait_until(lambda: STEPS[step](server, data), told=server.log.read_text)
        children = hosts(server) + [pid for pid in [optimizer(server)] if pid is not None]

        server.kill()
        writer.join(30)

        wait_until(lambda: not any(psutil.pid_exists(child) for child in children))
    with edge_process(data) as again, client_of(again) as client:
        photos.check(client, except_for=writer.unanswered)
        assert set(shards(data)) == named(data)
        photos.upsert(client, range(50), salt=-1)
        photos.check(client, except_for=writer.unanswered)


def test_whichever_helper_is_killed_the_collection_goes_on_and_the_next_start_builds(data: Path) -> None:
    photos = Acknowledged("photos")
    victims: dict[str, Callable[[EdgeProcess], int | None]] = {
        "the process that builds the index was ended by SIGKILL": optimizer,
        "the process that has the collection open has ended": lambda server: [None, *hosts(server)[1:]][-1],
    }
    for number, (fault, victim) in enumerate(victims.items()):
        with edge_process(data, None, *ABOVE) as server, client_of(server) as client:
            if number == 0:
                photos.create(client)
                photos.upsert(client, range(POINTS))
            wait_until(lambda: victim(server), told=server.log.read_text)  # noqa: B023
            os.kill(victim(server) or 0, signal.SIGKILL)

            wait_until(lambda: server.log.read_text().count("indexing failed") > number)  # noqa: B023

            assert client.get_collection("photos").optimizer_status == models.OptimizersStatusOneOf1(error=fault)
            assert client.get_collection("photos").status == "green"
            photos.upsert(client, range(number * 100, 2000), salt=number)
            photos.check(client)
            assert set(shards(data)) == named(data)
            assert "Traceback" not in server.log.read_text()
    with edge_process(data, None, *ABOVE) as server, client_of(server) as client:
        wait_until(lambda: ends(server) == 1, told=server.log.read_text)
        photos.check(client)


def fill_up(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(MIB))


def test_a_full_disk_stops_the_build_and_nothing_else(data: Path) -> None:
    mount = 'mount -t tmpfs -o size=400m none "$0" && exec "$@"'
    if UNSHARE is None:
        pytest.skip("there is no unshare here")
    data.mkdir()
    within = [UNSHARE, "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(data)]
    if subprocess.run([*within, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    photos = Acknowledged("photos")
    with edge_process(data, None, *ABOVE, within=within) as server, client_of(server) as client:
        photos.create(client)
        photos.upsert(client, range(POINTS))
        inside = Path(f"/proc/{server.pid}/root{data}")
        with held_while_optimizing(server):
            fill_up(inside)

        wait_until(lambda: "indexing failed" in server.log.read_text(), told=server.log.read_text)

        photos.check(client)
        fault = client.get_collection("photos").optimizer_status
        assert isinstance(fault, models.OptimizersStatusOneOf1)
        assert "the disk is full" in fault.error or "No space left" in fault.error
        assert set(shards(inside)) == named(inside)
        photos.upsert(client, range(POINTS, POINTS + 100))
        photos.check(client)
