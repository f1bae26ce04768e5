"""`python -m tests.producer.million --files 1000000`: the memory of the producer alone, and how long a scan takes.

A real broker, empty files, an index that knows nothing, and workers that take what is sent and do nothing with it.
"""

import argparse
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis
from rich.console import Console

from lookalike.broker.telemetry import Telemetry
from lookalike.messages import CountsReply, FilesReply, ReadKnown, ReadMessage
from lookalike.redis_keys import READ, Keys
from tests.producer.conftest import ROOT
from tests.support.valkey import valkey_process

FOLDER_FILES = 1000
KEYS = Keys("lookalike")
LOOK_S = 0.05


def answer(url: str) -> None:
    """Answers every question as an empty index does."""
    app = Celery(broker=url, backend=url)

    def read(message: Any) -> Any:
        ask = ReadMessage.model_validate(message).ask
        if isinstance(ask, ReadKnown):
            return FilesReply(files=[]).model_dump()
        counts = CountsReply(
            indexed=0,
            rejected=0,
            library="test",
            model="test",
            distance="cosine",
            backend="test",
            precision="fp32",
            threads=1,
            generation="test",
        )
        return (counts if ask.what == "counts" else FilesReply(files=[])).model_dump()

    app.task(read, name=READ)
    app.worker_main(["--quiet", "worker", "--pool", "solo", "-Q", KEYS.search, "--loglevel", "error"])


def memory_mib(pid: int, field: str) -> int:
    """VmRSS or VmHWM (the most there ever was), proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(field))


def main() -> None:
    """Prints memory whenever another tenth of the files was sent, and the peak at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.producer.million", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    files = parser.parse_args().files
    folder = Path(tempfile.mkdtemp(prefix="lookalike-million-"))
    library = folder / "library"
    for number in range(files):
        if number % FOLDER_FILES == 0:
            (library / str(number // FOLDER_FILES)).mkdir(parents=True)
        (library / str(number // FOLDER_FILES) / f"{number}.jpg").touch()
    with valkey_process(folder) as url, Redis.from_url(url) as redis:
        answering = multiprocessing.get_context("spawn").Process(target=answer, args=(url,), daemon=True)
        answering.start()
        environment = {"REDIS_URL": url, "LOOKALIKE_LIBRARY": str(library), "PATH": ""}
        producer = subprocess.Popen([sys.executable, "-m", "producer"], cwd=ROOT, env=environment)
        try:
            _watch(producer.pid, Telemetry(redis, KEYS), redis, files)
        finally:
            producer.terminate()
            producer.wait()
            answering.terminate()
    shutil.rmtree(folder)


def _watch(pid: int, telemetry: Telemetry, redis: Redis, files: int) -> None:
    screen = Console(highlight=False)
    sent, told, begun_s = 0, 0, time.monotonic()
    while telemetry.read_report().scan_ended_at == 0.0 or telemetry.waiting():
        taken = redis.lpop(KEYS.rescan, 1000) or []
        # Batches are full but for the last.
        sent += 32 * len(taken)
        if sent >= told:
            told += files // 10
            screen.print(f"{time.monotonic() - begun_s:4.0f} s  {sent:8} sent  {memory_mib(pid, 'VmRSS')} MiB")
        threading.Event().wait(LOOK_S)
    took_s = time.monotonic() - begun_s
    screen.print(f"{files} files scanned and sent in {took_s:.0f} s, {memory_mib(pid, 'VmHWM')} MiB at most")


if __name__ == "__main__":
    main()
