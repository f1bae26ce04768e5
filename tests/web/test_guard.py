"""What a page of another site, a rebound name, a stranger and a large body get from a running gallery."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from lookalike.errors import Misconfigured
from lookalike.local.servers.config_check import confirm_gallery
from tests.web.conftest import FIRST, ROOT, Gallery, web_process

EVERYWHERE = "0.0.0.0"  # noqa: S104 (that this is found out is what is tested)
STATUS = "/api/v1/status"
EVERY_WAY = [
    "/",
    STATUS,
    f"/api/v1/files/{FIRST}",
    f"/api/v1/thumbnails/{FIRST}",
    "/static/page.js",
    "/api/v1/openapi.json",
]


@pytest.mark.parametrize("path", EVERY_WAY)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8808", "127.0.0.1.evil.example"])
def test_a_rebound_host_is_refused(gallery: Gallery, path: str, host: str) -> None:
    refused = gallery.http.get(path, headers={"host": host})

    assert refused.status_code == 403
    assert "LOOKALIKE_WEB_NAMES" in refused.json()["detail"]


@pytest.mark.parametrize("path", EVERY_WAY)
def test_a_page_of_another_site_reads_nothing(gallery: Gallery, path: str) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}):
        refused = gallery.http.get(path, headers=headers)

        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("path", ["pause", "resume", "retry", "search", "images"])
def test_a_page_of_another_site_sends_nothing(gallery: Gallery, path: str) -> None:
    refused = gallery.http.post(f"/api/v1/{path}", headers={"origin": "http://evil.example"}, files={"image": b"x"})

    assert refused.status_code == 403
    assert gallery.client.status().paused is None


def test_each_answer_tells_its_time(gallery: Gallery) -> None:
    for path in ("/", "/healthz", STATUS):
        told = parsedate_to_datetime(gallery.http.get(path).headers["date"])

        assert abs((datetime.now(UTC) - told).total_seconds()) < 5


def test_another_site_may_link_to_the_page(gallery: Gallery) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert gallery.http.get("/", headers=headers).status_code == 200


def test_every_answer_forbids_what_is_not_ours(gallery: Gallery) -> None:
    for path in (*EVERY_WAY, "/nothing"):
        headers = gallery.http.get(path).headers

        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"


def test_too_large_a_body_is_refused_whatever_its_header_tells(gallery: Gallery) -> None:
    most = 1_000_000 + 9 * 2**20

    def pieces() -> Iterator[bytes]:
        for _ in range(most // 2**20 + 1):
            yield bytes(2**20)

    with socket.create_connection(("127.0.0.1", int(gallery.url.rpartition(":")[2])), timeout=20) as told:
        head = f"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {most}\r\n\r\n"
        told.sendall(head.encode())
        status = told.recv(100).split()[1]
    untold = gallery.http.post("/api/v1/search", content=pieces(), headers={"content-type": "application/json"})

    assert (status, untold.status_code) == (b"413", 413)


def test_a_secret_is_asked_for_everywhere_but_by_the_probes(gallery: Gallery, tmp_path: Path) -> None:
    environment = gallery.environment | {"LOOKALIKE_WEB_AUTH": "ann:hunter2", "LOOKALIKE_WEB_NAMES": "photos.example"}
    with web_process(environment, tmp_path / "web.log") as url, httpx.Client(base_url=url, trust_env=False) as http:
        for path in EVERY_WAY:
            refused = http.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
            assert http.get(path, auth=("ann", "wrong")).status_code == 401
            assert http.get(path, auth=("ann", "hunter2")).status_code == 200
        assert http.get("/healthz").status_code == 200
        assert http.get(STATUS, auth=("ann", "hunter2"), headers={"host": "photos.example"}).status_code == 200
    assert "hunter2" not in (tmp_path / "web.log").read_text()


def test_it_listens_beyond_this_machine_only_with_a_secret(gallery: Gallery) -> None:
    command = [sys.executable, "-m", "web", "--host=0.0.0.0", "--port=0"]

    ended = subprocess.run(
        command, cwd=ROOT, env=gallery.environment, check=False, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert re.fullmatch(r"Settings are wrong: LOOKALIKE_WEB_HOST: .*LOOKALIKE_WEB_AUTH.*\n", ended.stderr)


def test_it_listens_on_loopback_alone(gallery: Gallery) -> None:
    port = int(gallery.url.rpartition(":")[2])

    for other in ("127.0.0.2", "::1"):
        with socket.socket(socket.AF_INET6 if ":" in other else socket.AF_INET) as probe:
            probe.settimeout(2)
            assert probe.connect_ex((other, port)) != 0


def test_up_stops_a_gallery_that_other_machines_reach_without_a_secret(gallery: Gallery, tmp_path: Path) -> None:
    confirm_gallery(gallery.url)
    environment = gallery.environment | {"LOOKALIKE_WEB_AUTH": "token"}
    with (
        web_process(environment, tmp_path / "web.log", f"--host={EVERYWHERE}") as url,
        pytest.raises(Misconfigured, match=r"it listens on 127\.0\.0\.2 too"),
    ):
        confirm_gallery(url)


def test_a_taken_port_is_told_in_one_sentence(gallery: Gallery) -> None:
    port = gallery.url.rpartition(":")[2]
    command = [sys.executable, "-m", "web", f"--port={port}"]

    ended = subprocess.run(
        command, cwd=ROOT, env=gallery.environment, check=False, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The gallery cannot listen on 127.0.0.1:{port}")
    assert ended.stderr.count("\n") == 1


def test_a_log_shows_no_path_of_a_request(gallery: Gallery) -> None:
    gallery.http.get("/api/v1/images/a%0a2026 fake line")

    assert "fake line" not in (gallery.data.parent / "web.log").read_text()
    assert json.loads(gallery.http.get("/healthz").text) == {"status": "ok"}
