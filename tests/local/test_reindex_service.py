"""The program of a container that carries out a reindex: it waits, does what is asked for, and ends when told to."""

import os
import subprocess
import sys
from pathlib import Path

from redis import Redis

from lookalike.broker.generations import Generation, GenerationState
from lookalike.redis_keys import Keys
from tests.support.edge import edge_process
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
KEYS = Keys("photos")
LONG_AGO = Generation("resnet50", "cosine", "photos-1", kept_since=1.0)
PATIENCE_S = 60.0


def program(redis: Redis, tmp_path: Path, *words: str, **settings: str) -> "subprocess.Popen[bytes]":
    """Starts it as its image does."""
    library = tmp_path / "library"
    library.mkdir(exist_ok=True)
    ours = {"LOOKALIKE_NAME": "photos", "LOOKALIKE_LIBRARY": str(library), "PYTHONPATH": str(ROOT)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}
    port = redis.connection_pool.connection_kwargs["port"]
    return subprocess.Popen(
        [sys.executable, "-m", "lookalike.local.reindex_service", *words],
        env={**kept, **ours, "REDIS_URL": f"redis://127.0.0.1:{port}", **settings},
        cwd=tmp_path,
    )


def test_it_drops_what_was_kept_for_too_long_and_waits_for_more(redis: Redis, tmp_path: Path) -> None:
    state, alive = GenerationState(redis, KEYS), tmp_path / "alive"
    state.keep(LONG_AGO)
    with edge_process(tmp_path / "store") as store:
        service = program(
            redis, tmp_path, QDRANT_URL=store.url, LOOKALIKE_KEEP_OLD_DAYS="30", LOOKALIKE_ALIVE_FILE=str(alive)
        )
        try:
            wait_until(lambda: state.kept() is None, PATIENCE_S, every_s=0.1)
            wait_until(lambda: (asked := state.read()) is not None and not asked.order, PATIENCE_S, every_s=0.1)
            assert service.poll() is None
            assert alive.read_text() == ""
        finally:
            service.terminate()
            ended = service.wait(PATIENCE_S)

    assert ended == 0


def test_once_it_ends_when_nothing_is_asked_for(redis: Redis, tmp_path: Path) -> None:
    assert program(redis, tmp_path, "--once").wait(PATIENCE_S) == 0
