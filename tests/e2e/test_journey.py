"""A person's way through the command line, with the model that ships: nothing is asked that the README does not say."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from lookalike import Client, LookalikeError
from lookalike.client.status import Status
from lookalike.local.up import status_of
from lookalike.settings import read_settings
from lookalike.system.discovery import with_running
from tests.local.conftest import Machine
from tests.support.command_lines import worker_word
from tests.support.pictures import draw, encoded, picture
from tests.support.shipped import MODEL
from tests.support.waiting import wait_until

PICTURES = 40
PATIENCE_S = 60.0
CALM_S = 1.2
GONE_WITHIN_S = 5.0


class Person:
    """Types commands in a folder of their own, beside a running system."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.library = machine.library

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from lookalike.cli import main; main()", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end."""
        data = {"LOOKALIKE_DATA": str(self.machine.folder.root)}
        return subprocess.run(
            self.command(*words),
            env=self.machine.environment(**data),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.machine.tmp_path,
        )

    def json(self, *words: str) -> Any:
        """The one document that a command with --json prints."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @cached_property
    def client(self) -> Client:
        """For looking again and again: a command takes a second to start."""
        return Client(data=self.machine.folder.root)

    def settled(self) -> Status:
        """The status when nothing is left to do, and that holds."""
        last: list[Status] = []
        calm_since: list[float] = []

        def is_calm() -> bool:
            with suppress(LookalikeError):
                last.append(self.client.status())
                if not last[-1].is_done:
                    calm_since.clear()
                elif not calm_since:
                    calm_since.append(time.monotonic())
            return bool(calm_since) and time.monotonic() - calm_since[0] > CALM_S

        wait_until(is_calm, PATIENCE_S, told=lambda: last[-1:])
        return last[-1]

    def listed(self) -> dict[str, str]:
        """Paths and their status; empty while a part that was killed is not back."""
        with suppress(LookalikeError):
            return {file.path: file.status for file in self.client.list()}
        return {}


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    machine = Machine(tmp_path_factory.mktemp("journey"))
    person = Person(machine)
    for seed in range(PICTURES):
        draw(machine.library / f"folder {seed % 4}" / f"{seed}.png", seed)
    (machine.library / "broken.jpg").write_bytes(b"this is no picture")
    (machine.library / "notes.txt").write_text("no candidate")
    command = person.command("up", str(machine.library), "--data", str(machine.folder.root))
    machine.start(command, LOOKALIKE_INGEST_PROCESSES="2", LOOKALIKE_RESCAN_S="5")
    with person.client:
        yield person
    machine.clear()


@pytest.fixture
def embedded(person: Person) -> Callable[[], int]:
    """Inferences since the test began."""
    before = person.settled().embedded_total
    return lambda: person.settled().embedded_total - before


@pytest.fixture
def is_part(person: Person) -> Callable[[int, str], bool]:
    """Whether the process is that part itself, and not a child of it."""
    words = {
        "broker": "valkey-server",
        "store": "edge",
        "ingest": worker_word("ingest"),
        "producer": "producer",
    }

    def check(pid: int, part: str) -> bool:
        command = " ".join(person.machine.processes().get(pid, []))
        return words[part] in command and person.machine.is_part(pid)

    return check


def test_every_candidate_ends_up_indexed_or_rejected(person: Person) -> None:
    status = person.json("status", "--wait")

    assert (status["discovered"], status["indexed"], status["rejected"]) == (PICTURES + 1, PICTURES, 1)
    assert (status["ignored"], status["queued"], status["eta_s"]) == (1, 0, 0.0)
    assert (status["embedded_total"], status["model"], status["distance"]) == (PICTURES, MODEL, "cosine")
    assert status["library"] == str(person.library)
    # What nobody needs in the first seconds begins last.
    wait_until(lambda: set(person.json("status")["parts"].values()) == {"up"})
    assert "@" not in status["redis_url"]
    assert status["flower_url"].startswith("http://127.0.0.1:")


def test_the_live_line_has_the_index_counted_only_when_something_happened(person: Person) -> None:
    known = person.settled()
    running = person.machine.running
    assert running is not None
    live = status_of(with_running(read_settings(data=person.machine.folder.root)))
    with Redis.from_url(running.redis_url) as redis:
        # As after the minute by which the rate is told.
        redis.delete("none", *redis.scan_iter("lookalike:done:*"))
        counted = live()
        before = set(redis.scan_iter("celery-task-meta-*"))
        again = [live() for _ in range(5)]

        assert {status.indexed for status in (known, counted, *again)} == {PICTURES}
        assert set(redis.scan_iter("celery-task-meta-*")) == before


def test_a_search_finds_the_picture_itself_first(person: Person) -> None:
    answer = person.json("search", str(person.library / "folder 3" / "7.png"), "-k", "10")

    neighbours = answer["neighbours"]
    assert answer["took_ms"] > 0
    assert len(neighbours) == 10
    assert neighbours[0]["path"] == "folder 3/7.png"
    assert neighbours[0]["score"] >= 0.999
    assert neighbours[0]["payload"]["folders"] == ["folder 3"]
    assert {"path", "score", "similarity", "payload", "id", "paths"} == neighbours[0].keys()


def test_a_piece_finds_the_picture_that_it_was_cut_from(person: Person) -> None:
    person.settled()
    whole = picture(7, (320, 240))
    (person.machine.tmp_path / "piece.jpg").write_bytes(encoded(whole.crop((40, 30, 280, 210)), "JPEG", quality=50))

    done = person.run("search", str(person.machine.tmp_path / "piece.jpg"), "--piece", "--json")
    answer = json.loads(done.stdout)

    assert done.stderr == ""
    assert answer["neighbours"][0]["path"] == "folder 3/7.png"
    assert answer["note"] is None
    status = person.client.status()
    assert status.has_copies
    assert status.near is not None
    assert status.similar is not None
    assert status.similar <= status.near


def test_the_model_is_measured_on_ones_own_photos(person: Person) -> None:
    report = person.json("evaluate", "--photos", "8")

    assert (report["photos"], report["left_out"], report["by_copy"]) == (8, 0, True)
    assert report["pairs"]["threshold"] == person.client.status().near
    assert report["found_first"]["q75"] == 1.0
    shown = person.run("evaluate", "--photos", "8").stdout
    assert "8 of your photos and 120 copies that were made of them" in shown
    assert "found first: the share of copies whose own photo is the nearest of all" in shown
    assert person.json("evaluate", "--photos", "8") == report


def test_measuring_is_interrupted_with_all_that_it_started(person: Person) -> None:
    environment = person.machine.environment(LOOKALIKE_DATA=str(person.machine.folder.root))
    with subprocess.Popen(
        person.command("evaluate"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        measuring: list[psutil.Process] = []

        def is_measuring() -> bool:
            # Others of its children come and go.
            for child in psutil.Process(process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    measuring.extend([child] if "models.tools.own_photos" in child.cmdline() else [])
            return bool(measuring)

        wait_until(is_measuring, PATIENCE_S)
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, said, told) == (130, b"", b"")
    wait_until(lambda: not measuring[0].is_running(), GONE_WITHIN_S)


def test_people_see_a_table(person: Person) -> None:
    shown = person.run("search", "folder 3/7.png", "-k", "2").stdout

    assert "folder 3/7.png" in shown
    assert "1.000" in shown


def test_rejected_files_are_listed_with_their_reasons(person: Person) -> None:
    assert person.json("rejected") == [
        {"path": "broken.jpg", "reason": "it is not an image of a known format but text"}
    ]
    listed = {file["path"]: file["status"] for file in person.json("list")}
    assert len(listed) == PICTURES + 1
    assert listed["broken.jpg"] == "rejected"


def test_what_is_dropped_changed_moved_and_deleted_is_followed(person: Person, embedded: Callable[[], int]) -> None:
    new = draw(person.library / "new.png", 1000)
    wait_until(lambda: "new.png" in person.listed(), PATIENCE_S)
    (person.library / "broken.jpg").write_bytes(encoded(picture(1001), "JPEG"))
    wait_until(lambda: person.listed()["broken.jpg"] == "indexed", PATIENCE_S)
    assert embedded() == 2

    new.rename(person.library / "renamed.png")
    (person.library / "folder 0").rename(person.library / "folder zero")
    wait_until(lambda: {"renamed.png", "folder zero/0.png"} <= person.listed().keys(), PATIENCE_S)
    assert person.settled().indexed == PICTURES + 2
    assert not {"new.png", "folder 0/0.png"} & person.listed().keys()
    assert embedded() == 2

    (person.library / "renamed.png").unlink()
    shutil.rmtree(person.library / "folder zero")
    wait_until(lambda: len(person.listed()) == PICTURES + 1 - PICTURES // 4, PATIENCE_S)


def test_sync_indexes_now_and_retry_tries_again(person: Person) -> None:
    draw(person.library / "urgent.png", 2000)

    assert sum(person.json("sync", str(person.library / "urgent.png")).values()) == 1
    assert person.json("sync", str(person.library / "folder 1"))["unchanged"] == PICTURES // 4
    (person.library / "bad.png").write_bytes(b"broken")
    wait_until(lambda: person.listed().get("bad.png") == "rejected", PATIENCE_S)
    assert person.json("retry") == {"sent": 1}
    assert person.settled().rejected == 1


@pytest.mark.parametrize("part", ["broker", "store", "ingest", "producer"])
def test_a_part_that_is_killed_loses_nothing(person: Person, is_part: Callable[[int, str], bool], part: str) -> None:
    before = person.settled()
    folder = person.library / f"killed {part}"
    for seed in range(15):
        draw(folder / f"{seed}.png", 3000 + seed)

    killed = [pid for pid in person.machine.processes() if is_part(pid, part)]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for seed in range(15, 30):
        draw(folder / f"{seed}.png", 3000 + seed)

    assert len(killed) == 1
    wanted = {f"killed {part}/{seed}.png" for seed in range(30)}
    wait_until(lambda: wanted <= person.listed().keys(), PATIENCE_S)
    assert person.settled().indexed == (before.indexed or 0) + 30
    shutil.rmtree(folder)
    wait_until(lambda: not wanted & person.listed().keys(), PATIENCE_S)
    assert person.settled().indexed == before.indexed


def test_mistakes_are_told_in_one_sentence(person: Person, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    for words, said in (
        (("search", str(tmp_path / "text.txt")), "not an image of a known format"),
        (("search", "nowhere.png"), "neither a file here nor in the index"),
        (("search", "/etc/passwd.png"), "not a path inside the library"),
        (("search", "folder 1/1.png", "-k", "5000"), "LOOKALIKE_MAX_LIMIT"),
        (("up", str(person.library)), "lookalike down"),
        (("logs", "nonsense"), "producer"),
    ):
        done = person.run(*words)
        assert done.returncode == 1, words
        assert done.stdout == ""
        assert said in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
    assert person.run("search").returncode == 2


def test_down_stops_everything(person: Person) -> None:
    assert person.run("down").returncode == 0
    # `up` lets go of its lock with its last breath: its process may be there for a moment longer.
    wait_until(lambda: person.machine.processes() == {}, GONE_WITHIN_S)
    assert person.run("status").returncode == 1
