"""Flower without a password answers to names that are ours alone, and no other site embeds it."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.valkey import free_port, valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import worker_environment

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 40.0


def test_a_rebound_host_reads_nothing(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "celery", "--app", "lookalike.flower_app", "flower", f"--port={port}"]
    with (
        valkey_process(tmp_path) as redis_url,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http,
    ):
        environment = worker_environment(REDIS_URL=redis_url, LOOKALIKE_WEB_NAMES="photos.example")
        flower = subprocess.Popen([*command, "--address=127.0.0.1"], cwd=ROOT, env=environment)
        try:
            wait_until(lambda: answers(http) or flower.poll() is not None, STARTS_WITHIN_S)
            for path in ("/tasks", "/workers", "/metrics", "/tasks/datatable"):
                assert http.get(path, headers={"host": f"evil.example:{port}"}).status_code == 403
            for host in (f"127.0.0.1:{port}", "localhost", "photos.example"):
                shown = http.get("/tasks", headers={"host": host})
                assert (shown.status_code, shown.headers["content-security-policy"]) == (200, "frame-ancestors 'none'")
        finally:
            flower.terminate()
            flower.wait(20)


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthcheck").is_success
    except httpx.HTTPError:
        return False
