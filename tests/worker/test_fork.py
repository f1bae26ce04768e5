"""A client that was used before a fork() answers in parent and children, each over connections of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike import Client
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.pictures import draw
from tests.support.valkey import valkey_process
from tests.support.workers import ROOT, worker_environment, worker_process

# Forks after use, while threads ask, and with a job in hand; each line is one that asked.
FORKS = """
import gc, multiprocessing, os, sys
from concurrent.futures import ThreadPoolExecutor
from lookalike import Client
from lookalike.settings import read_settings

client = Client(read_settings(redis_url=sys.argv[1]))

def ask(who):
    for _ in range(3):
        found = client.search("1.png", 1).result(timeout_s=30)[0].path
        client.status()
    print(who, found, flush=True)

def child(who, job=None):
    gc.collect()
    ask(who)
    if job is not None:
        print("job", job.result(timeout_s=30)[0].path, flush=True)
    gc.collect()

def forked(who, *given):
    pid = os.fork()
    if not pid:
        try:
            with client:
                child(who, *given)
        finally:
            os._exit(0)
    return pid

ask("before")
with ThreadPoolExecutor(4) as threads:
    asked = [threads.submit(ask, "thread") for _ in range(8)]
    # The answer of a job that a child asks for, and one that nobody asks for.
    pids = [forked("child", client.search("1.png", 1)), forked("child")]
    client.search("1.png", 1)
    again = multiprocessing.get_context("fork").Process(target=child, args=("multiprocessing",))
    again.start()
    for one in asked:
        one.result()
for pid in pids:
    os.waitpid(pid, 0)
again.join()
ask("after")
"""

# A thread of redis-py holds the lock of a pool for microseconds; here another one holds all of them at the fork.
LOCKED = """
import gc, multiprocessing, sys, threading
from redis.connection import ConnectionPool
from lookalike import Client
from lookalike.settings import read_settings

client = Client(read_settings(redis_url=sys.argv[1]))

def ask():
    print(client.search("1.png", 1).result(timeout_s=30)[0].path, flush=True)

ask()
locks = [pool._lock for pool in gc.get_objects() if isinstance(pool, ConnectionPool)]
taken, forked = threading.Event(), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    taken.set()
    forked.wait()
    for lock in locks:
        lock.release()

threading.Thread(target=hold).start()
taken.wait()
child = multiprocessing.get_context("fork").Process(target=ask)
child.start()
forked.set()
child.join(60)
child.kill()
ask()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[str]:
    """The broker of a system with one picture."""
    folder = tmp_path_factory.mktemp("system")
    draw(folder / "library" / "1.png", 1)
    with valkey_process(folder) as url, edge_process(folder / "store") as edge:
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=folder / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
        )
        with worker_process(folder / "worker.log", environment, queues="lookalike:ingest,lookalike:search"):
            with Client(read_settings(redis_url=url)) as client:
                client.sync(["1.png"]).result(timeout_s=30)
            yield url


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_parent_children_and_threads_all_get_their_answers(url: str) -> None:
    # That a program with threads forks is the point.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    wanted = ["after", "before", "child", "child", "job", "multiprocessing", *["thread"] * 8]
    assert (done.stderr, sorted(done.stdout.split("\n"))) == ("", ["", *(f"{who} 1.png" for who in wanted)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_child_asks_although_a_thread_of_its_parent_held_the_locks_of_its_connections(url: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", LOCKED, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert (done.stderr, done.stdout) == ("", "1.png\n" * 3)


def test_a_job_whose_answer_nobody_asks_for_leaves_no_word_at_exit(tmp_path: Path) -> None:
    """Also when its broker is gone by then, and warnings are shown."""
    code = (
        "import sys\n"
        "from lookalike import Client, TimedOut\n"
        "from lookalike.settings import read_settings\n"
        "client = Client(read_settings(redis_url=sys.argv[1]))\n"
        "jobs = [client.sync(['a.png']) for _ in range(3)]\n"
        "try:\n    jobs[0].result(timeout_s=0.2)\n"
        "except TimedOut as error:\n    kept = error\n"
        "print('waited', flush=True)\n"
        "input()\n"
        "del jobs[1]\n"
    )
    with valkey_process(tmp_path) as url:
        command = [sys.executable, "-W", "always", "-c", code, url]
        program = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "waited\n"
    _, said = program.communicate("\n", timeout=60)

    assert (program.returncode, said) == (0, "")
