"""Web pages and endless bodies stay out."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import Distance, PointStruct, VectorParams

from edge.errors import Forbidden
from edge.request_checks import check_host
from tests.support.edge import client_of, edge_process

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantClient]:
    """A client of a server that takes bodies of at most 1 MiB."""
    data = tmp_path_factory.mktemp("small") / "data"
    with edge_process(data, None, "--max-body-mib", "1") as server, client_of(server) as client:
        client.create_collection("photos", vectors_config={"image": VectorParams(size=3, distance=Distance.DOT)})
        yield client


def point(payload_bytes: int) -> PointStruct:
    return PointStruct(id=1, vector={}, payload={"a": "x" * payload_bytes})


def test_a_body_above_the_limit_is_refused_and_the_connection_goes_on(small: QdrantClient) -> None:
    small.upsert("photos", [point(MIB - 1000)])

    with pytest.raises(UnexpectedResponse, match=r"larger than allowed \(limit: 1048576 bytes\)") as caught:
        small.upsert("photos", [point(8 * MIB)])

    assert caught.value.status_code == 400
    assert small.count("photos").count == 1


def test_a_body_of_unknown_length_has_the_same_limit(small: QdrantClient) -> None:
    url = str(small.init_options["url"])

    answer = httpx.put(
        f"{url}/collections/photos/points",
        content=(b"x" * 65_536 for _ in range(32)),
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 400


def test_32_mib_are_taken_without_a_setting(edge_server: str) -> None:
    def status(size_bytes: int) -> int:
        body = b'{"x":"' + b"x" * (size_bytes - 8) + b'"}'
        headers = {"content-type": "application/json"}
        return httpx.put(f"{edge_server}/collections/none/points", content=body, headers=headers).status_code

    assert (status(32 * MIB), status(32 * MIB + 1)) == (404, 400)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:6333", "127.0.0.1.evil.example", "", "localhost.:80"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(edge_server: str, host: str) -> None:
    for path in ("/", "/collections"):
        answer = httpx.get(edge_server + path, headers={"host": host})

        assert answer.status_code == 403
        assert "127.0.0.1 or localhost" in answer.json()["status"]["error"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]", "[::1]:6333"])
def test_loopback_names_are_allowed(edge_server: str, host: str) -> None:
    assert httpx.get(edge_server + "/collections", headers={"host": host}).status_code == 200


def test_a_request_without_a_host_is_refused(edge_server: str) -> None:
    address, port = edge_server.removeprefix("http://").split(":")
    with socket.create_connection((address, int(port))) as raw:
        raw.sendall(b"GET /collections HTTP/1.0\r\n\r\n")

        assert b" 403 " in raw.recv(100)


@pytest.mark.parametrize(
    ("listening_on", "header"),
    [("192.0.2.7", "192.0.2.7:6333"), ("store.example", "Store.Example"), ("2001:db8::7", "[2001:db8::7]:6333")],
)
def test_the_address_that_it_was_told_to_listen_on_is_allowed(listening_on: str, header: str) -> None:
    check_host(header, listening_on)

    with pytest.raises(Forbidden):
        check_host("192.0.2.8:6333", listening_on)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
def test_what_a_web_page_may_send_without_asking_is_refused(edge_server: str, content_type: str) -> None:
    """A page can post plain text and forms to any address; for JSON its browser asks first, and gets no leave."""
    answer = httpx.post(
        f"{edge_server}/collections/photos/points/delete",
        content=b'{"filter":{}}',
        headers={"content-type": content_type} if content_type else {},
    )

    assert answer.status_code == 400
    assert "expected application/json" in answer.json()["status"]["error"]
    preflight = httpx.options(f"{edge_server}/collections", headers={"origin": "http://evil.example"})
    assert not [header for header in preflight.headers if header.startswith("access-control")]


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_with_a_key_only_the_version_is_told_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", "the-key")

    with edge_process(tmp_path / "data") as server:
        assert httpx.get(server.url).status_code == 200
        for key in (None, "the-kez", "the-key-and-more"):
            stranger = QdrantClient(url=server.url, api_key=key, check_compatibility=False)
            with pytest.raises(UnexpectedResponse) as refused:
                stranger.get_collections()
            assert refused.value.status_code == 401
            stranger.close()
        friend = QdrantClient(url=server.url, api_key="the-key", check_compatibility=False)
        assert friend.get_collections().collections == []
        friend.close()
