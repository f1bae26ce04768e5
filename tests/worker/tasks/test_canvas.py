"""Searches in the chains, groups and chords of another program's Celery app, which knows nothing but names and JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import System

SHOP = """
import os
from celery import Celery

app = Celery("shop", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])

@app.task
def best(reply):
    return reply["neighbours"][0]["path"]

@app.task
def count(replies):
    return len({reply["neighbours"][0]["path"] for reply in replies})

@app.task
def ask(path):
    return {"v": 1, "examples": [{"image": {"path": path}}], "limit": 1}
"""
ASKS = """
import json, sys
from celery import chain, chord, group
from shop import app, ask, best, count

def search(*messages):
    return app.signature("lookalike.search", args=messages, queue="lookalike:search")

paths = sys.argv[1:]
messages = [{"v": 1, "examples": [{"image": {"path": path}}], "limit": 1} for path in paths]
asked = [
    chain(search(messages[0]), best.s())(),
    chain(ask.s(paths[2]), search(), best.s())(),
    group(search(message) for message in messages)(),
    chord([search(message) for message in messages], count.s())(),
]
print(json.dumps([each.get(timeout=30) for each in asked]))
"""
STARTS_WITHIN_S = 60.0


@pytest.fixture
def shop(system: System, tmp_path: Path) -> Iterator[Path]:
    """The folder of another program, whose worker takes Celery's default queue."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "asks.py").write_text(ASKS)
    command = [sys.executable, "-m", "celery", "--app", "shop", "worker", "--pool", "solo", "--loglevel", "INFO"]
    log = tmp_path / "shop.log"
    with log.open("wb") as sink:
        worker = subprocess.Popen(command, cwd=tmp_path, env=system.environment, stdout=sink, stderr=sink)
    try:
        wait_until(lambda: " ready." in log.read_text() or worker.poll() is not None, STARTS_WITHIN_S)
        yield tmp_path
    finally:
        worker.terminate()
        worker.wait(20)


def test_a_search_goes_into_chains_groups_and_chords(system: System, shop: Path) -> None:
    paths = [system.path(seed, f"canvas-{seed}.png") for seed in range(820, 823)]
    system.client.sync(paths).result(timeout_s=20)

    done = subprocess.run(
        [sys.executable, "asks.py", *paths],
        cwd=shop, env=system.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr + system.worker.said()[-3000:]
    chained, asked, grouped, counted = json.loads(done.stdout)
    assert (chained, asked, counted) == (paths[0], paths[2], 3)
    assert [reply["neighbours"][0]["path"] for reply in grouped] == paths
    assert "unregistered task" not in system.worker.said()
