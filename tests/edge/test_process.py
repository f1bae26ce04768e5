"""The process: how it starts, says what is wrong, and ends."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import Distance, PointStruct, VectorParams

from tests.support.edge import ROOT, client_of, edge_command, edge_process


def refused_start(data: Path, *more: str) -> str:
    """Starts a server that cannot run; asserts exit code 1 and returns its one sentence."""
    ended = subprocess.run(edge_command(data, *more), cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("edge: ")
    return ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_within_two_seconds(data: Path, number: signal.Signals) -> None:
    with edge_process(data) as server, client_of(server) as client:
        client.create_collection("photos", vectors_config={"image": VectorParams(size=3, distance=Distance.DOT)})
        client.upsert("photos", [PointStruct(id=1, vector={"image": [1.0, 2.0, 3.0]})])
        began_s = time.monotonic()

        os.kill(server.pid, number)

        assert server.process.wait(10) == 0
        assert time.monotonic() - began_s < 2
        assert "Traceback" not in server.log.read_text()


def test_a_body_that_trickles_in_does_not_hold_up_the_end(data: Path) -> None:
    with edge_process(data) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = "PUT /collections/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            slow.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
            began_s = time.monotonic()

            assert server.stop() == 0

            assert time.monotonic() - began_s < 2


def test_it_says_once_when_it_is_ready(data: Path) -> None:
    with edge_process(data) as server:
        said = server.log.read_text()

        assert said.count("\n") == 1
        assert f"ready url={server.url} data={data} collections=0" in said


def test_it_listens_on_this_machine_only_unless_told_otherwise(data: Path) -> None:
    with edge_process(data) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_it_listens_where_it_is_told_to(data: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")

    with edge_process(data, None, "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(server.url).status_code == 200


def test_a_port_that_is_taken_is_told_in_one_sentence(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = refused_start(data, "--port", str(port))

    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "--port" in said


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_told_in_one_sentence(data: Path, host: str) -> None:
    assert f"cannot listen on {host}:0" in refused_start(data, "--host", host, "--port", "0")


def test_a_second_process_on_the_folder_is_refused(data: Path) -> None:
    with edge_process(data) as server:
        said = refused_start(data, "--port", "0")

        assert f"the data folder {data} is open in another edge process" in said
        assert httpx.get(server.url).status_code == 200


def test_the_folder_is_free_again_after_kill_9(data: Path) -> None:
    with edge_process(data) as server:
        server.kill()

    with edge_process(data) as server:
        assert httpx.get(server.url).status_code == 200


def test_a_folder_that_is_a_file_is_told_in_one_sentence(data: Path) -> None:
    data.write_text("not a folder")

    assert f"cannot write to the data folder {data}" in refused_start(data, "--port", "0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(data: Path) -> None:
    data.mkdir(mode=0o500)

    assert f"cannot write to the data folder {data}" in refused_start(data, "--port", "0")


def one_collection(data: Path) -> Path:
    """Makes a collection and returns its shard's folder."""
    with edge_process(data) as server, client_of(server) as client:
        client.create_collection("photos", vectors_config={"image": VectorParams(size=3, distance=Distance.DOT)})
    return next((data / "shards").iterdir())


def test_a_broken_catalogue_is_told_in_one_sentence_and_its_shards_are_kept(data: Path) -> None:
    one_collection(data)
    catalogue = data / "catalogue.json"
    whole = catalogue.read_bytes()

    for content in (b"", b"{", b"[]", b'{"format":1}', b'{"format":2,"collections":{},"aliases":{}}'):
        catalogue.write_bytes(content)
        assert f"cannot use the catalogue {catalogue}" in refused_start(data, "--port", "0")
    catalogue.unlink()
    assert "is missing, although there are shards" in refused_start(data, "--port", "0")

    catalogue.write_bytes(whole)
    with edge_process(data) as server, client_of(server) as client:
        assert client.count("photos").count == 0


def test_a_shard_that_is_broken_or_gone_is_named_in_one_sentence(data: Path) -> None:
    shard = one_collection(data)

    (shard / "edge_config.json").write_text("{")
    assert f"the collection in {shard} cannot be opened" in refused_start(data, "--port", "0")

    shard.rename(data / "elsewhere")
    assert f"the collection in {shard} cannot be opened" in refused_start(data, "--port", "0")


def test_a_fault_of_the_disk_is_not_the_callers_and_the_server_goes_on(data: Path) -> None:
    vectors = {"image": VectorParams(size=3, distance=Distance.DOT)}
    with edge_process(data) as server, client_of(server) as client:
        (data / "shards").rename(data / "away")
        (data / "shards").write_text("in the way")

        with pytest.raises(UnexpectedResponse, match="Service internal error") as caught:
            client.create_collection("photos", vectors_config=vectors)

        assert caught.value.status_code == 500
        (data / "shards").unlink()
        (data / "away").rename(data / "shards")
        assert not client.collection_exists("photos")
        assert client.create_collection("photos", vectors_config=vectors)
        assert server.stop() == 0
        assert "Traceback" in server.log.read_text()


def test_litter_of_an_unfinished_change_is_swept_up(data: Path) -> None:
    shard = one_collection(data)
    litter = shard.with_name("photos-00000000")
    (litter / "segments").mkdir(parents=True)

    with edge_process(data):
        assert not litter.exists()
        assert shard.exists()


@pytest.mark.parametrize("mistake", [["--max-body-mib", "0"], ["--port", "http"], ["--port", "65536"], []])
def test_wrong_usage_exits_with_2(data: Path, mistake: list[str]) -> None:
    command = edge_command(data, *mistake) if mistake else edge_command(data)[:-2]

    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=False).returncode == 2
