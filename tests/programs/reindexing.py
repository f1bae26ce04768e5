"""A reindex under load: `python -m tests.programs.reindexing --photos 3000 --changes 500 --kills 5 --rate 20`.

A real `lookalike up` with a small model; searches at a steady rate while `reindex` goes over to another model, files
are written, deleted and moved, and ingest workers and the store are killed by SIGKILL. Each answer tells by its
payloads in which generation it was found. Prints failed searches, switches that were seen, and what `verify --deep`
finds in the new generation and, switched back, in the old one. Exit code 1 if anything is not as it should be.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from lookalike import Client, LookalikeError
from lookalike.client.status import Status
from tests.local.conftest import Machine
from tests.support.command_lines import worker_word
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

THREADS = 8
PATIENCE_S = 900.0
NEIGHBOURS = 5
FOLDERS = 10


@dataclass(frozen=True)
class Seen:
    """One search: when it was sent and answered, the generations of its neighbours, and its error, if it failed."""

    sent_s: float
    answered_s: float
    generations: frozenset[str]
    error: str = ""


@dataclass
class Searching:
    """Searches at a steady rate by photos of the library that stay as they are."""

    client: Client
    paths: list[str]
    rate_per_s: float
    seen: list[Seen] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Searches until the block ends, and then waits for the last answers."""
        pacer = threading.Thread(target=self._send_all)
        pacer.start()
        try:
            yield
        finally:
            self._ended.set()
            pacer.join()

    @property
    def failed(self) -> list[Seen]:
        """Those without an answer, or with neighbours of two generations."""
        return [one for one in self.seen if one.error or len(one.generations) != 1]

    def switches(self) -> int:
        """How often the generation changed from one search to the next, in the order in which they were sent."""
        answered = [one for one in sorted(self.seen, key=lambda one: one.sent_s) if len(one.generations) == 1]
        return sum(one.generations != other.generations for one, other in pairwise(answered))

    def _send_all(self) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            at, begun_s = 0, time.monotonic()
            while not self._ended.wait(max(0.0, begun_s + at / self.rate_per_s - time.monotonic())):
                pool.submit(self._search, self.paths[at % len(self.paths)])
                at += 1

    def _search(self, path: str) -> None:
        sent_s, generations, error = time.monotonic(), frozenset[str](), ""
        try:
            found = self.client.search(path, NEIGHBOURS).result()
            generations = frozenset(str(each.payload["generation"]) for each in found)
        except LookalikeError as failed:
            error = str(failed)
        self.seen.append(Seen(sent_s, time.monotonic(), generations, error))


def photos(library: Path, count: int) -> list[str]:
    """Draws so many photos in some folders; returns their paths."""
    names = [f"{seed % FOLDERS}/{seed}.png" for seed in range(count)]
    for seed, name in enumerate(names):
        draw(library / name, seed)
    return names


def change(library: Path, names: list[str], chance: random.Random, seed: int) -> None:
    """Writes a new photo, writes another over one, deletes or moves one of these."""
    name = chance.choice(names)
    match chance.choice(("new", "over", "delete", "move")):
        case "new":
            names.append(f"{seed % FOLDERS}/new-{seed}.png")
            draw(library / names[-1], seed)
        case "over":
            draw(library / name, seed)
        case "delete" if len(names) > 1:
            (library / name).unlink()
            names.remove(name)
        case _:
            moved = f"{seed % FOLDERS}/moved-{seed}.png"
            (library / moved).parent.mkdir(exist_ok=True)
            (library / name).rename(library / moved)
            names[names.index(name)] = moved


def lookalike(machine: Machine, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command on that system."""
    command = [sys.executable, "-c", "from lookalike.cli import main; main()", words[0]]
    return subprocess.run(
        [*command, "--data", str(machine.folder.root), *words[1:]],
        env=machine.environment(), cwd=machine.tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip


def verified(machine: Machine, deep: int) -> dict[str, int]:
    """What `verify --deep` counts."""
    done = lookalike(machine, "verify", "--json", "--deep", str(deep))
    found: dict[str, int] = json.loads(done.stdout)
    return found


def status_now(client: Client) -> Status | None:
    """The status; None while it cannot be had, as when the store was killed a moment ago."""
    with suppress(LookalikeError):
        return client.status()
    return None


def await_status(client: Client, condition: Callable[[Status], object], within_s: float = PATIENCE_S) -> None:
    """Waits until the status is so."""
    wait_until(lambda: (now := status_now(client)) is not None and condition(now), within_s, every_s=0.2)


def switched(status: Status) -> bool:
    """Whether the reindex is done and nothing is left to do."""
    return status.is_done and status.reindex is not None and status.reindex.state == "switched"


def kill(machine: Machine, word: str) -> int:
    """SIGKILL to the main process of a part; its children end with it. Returns how many were killed."""
    pids = [pid for pid in machine.pids(word) if _is_main(machine, pid, word)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _is_main(machine: Machine, pid: int, word: str) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).ppid() not in machine.pids(word)
    return False


def up(machine: Machine, model: Path | None, **settings: str) -> Client:
    """Starts the system, and waits until it has indexed the library."""
    code = "from lookalike.cli import main; main()"
    where = ["--data", str(machine.folder.root), *([] if model is None else ["--model", str(model)])]
    machine.start([sys.executable, "-c", code, "up", str(machine.library), *where], **settings)
    client = Client(data=machine.folder.root)
    await_status(client, lambda status: status.is_done and status.indexed == status.discovered > 0)
    return client


def main() -> int:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.reindexing", description=__doc__)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--deep", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        try:
            return _measure(machine, given)
        finally:
            machine.clear()


def _measure(machine: Machine, given: argparse.Namespace) -> int:
    chance, folder = random.Random(given.seed), machine.tmp_path
    names = photos(machine.library, given.photos)
    old = tiny_model(folder / "old.onnx", copies=True)
    new = tiny_model(folder / "new.onnx", seed=1, name="other", copies=True)
    client = up(machine, old)
    lasting, changing = names[: given.photos // 2], names[given.photos // 2 :]
    searching = Searching(client, lasting, given.rate)
    killed: list[tuple[str, int]] = []
    words = [worker_word("ingest"), "edge", worker_word("ingest", "lookalike-next")]
    with searching.going_on():
        begun_s = time.monotonic()
        asked = lookalike(machine, "reindex", "--model", str(new))
        say(f"asked: {(asked.stdout + asked.stderr).strip()}")
        at_change = [round((at + 1) * given.changes / (given.kills + 1)) for at in range(given.kills)]
        for at in range(given.changes):
            change(machine.library, changing, chance, given.photos + at)
            if at in at_change:
                word = words[len(killed) % len(words)]
                killed.append((word, kill(machine, word)))
            time.sleep(chance.expovariate(1 / 0.1))
        still = status_now(client)
        say(f"after the changes: {'no status' if still is None or still.reindex is None else still.reindex.in_words()}")
        await_status(client, switched)
        took_s = time.monotonic() - begun_s
    in_new = verified(machine, given.deep)
    lookalike(machine, "reindex", "--switch-back")
    await_status(client, switched)
    in_old = verified(machine, given.deep)
    figures: dict[str, Any] = {
        "photos": given.photos,
        "changes": given.changes,
        "killed": killed,
        "searches": len(searching.seen),
        "failed": len(searching.failed),
        "switches": searching.switches(),
        "slowest_s": round(max(one.answered_s - one.sent_s for one in searching.seen), 2),
        "took_s": round(took_s, 1),
        "new": in_new,
        "old": in_old,
    }
    say(json.dumps(figures, indent=1))
    for one in searching.failed[:5]:
        say(f"failed: {one}")
    client.close()
    is_well = not searching.failed and searching.switches() == 1 and not any(map(_differs, (in_new, in_old)))
    return 0 if is_well else 1


def _differs(found: dict[str, int]) -> bool:
    return any(found[kind] for kind in ("lost", "ghosts", "stale", "wrong", "pending"))


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
