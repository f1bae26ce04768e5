"""A library that is watched without being looked at: what happens to it is noticed all the same."""

import sys
import threading
from collections.abc import Hashable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lookalike.library.folder import EMPTY, FolderLibrary
from lookalike.library.rules import Candidates
from producer.shutdown import Stopped
from producer.watching.clock_jumps import ClockJumps
from producer.watching.mounts import is_local
from producer.watching.supervision import Supervision
from producer.watching.watcher import Inbox, Watcher
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the library is looked at once a second")


PULSES = 10


class Counting(FolderLibrary):
    """Counts who looks."""

    looks = 0

    def absence(self) -> str | None:
        self.looks += 1
        return super().absence()

    def identity(self) -> Hashable | None:
        self.looks += 1
        return super().identity()


class Watched:
    def __init__(self, root: Path, *, clock: ClockJumps | None = None, pulse_every_s: float = 600.0) -> None:
        self.library = Counting(root, Candidates(("jpg",)))
        self.watcher = Watcher(self.library, Inbox(), polling=False, poll_s=1.0, on_count_changed=lambda: None)
        self.reasons: list[str] = []
        self.soon: list[str] = []
        self.stop = threading.Event()
        self.watcher.ensure_watching()
        self.supervision = Supervision(
            self.library,
            self.watcher,
            request_scan=self.reasons.append,
            request_soon=self.soon.append,
            stop=self.stop,
            clock=clock,
            pulse_every_s=pulse_every_s,
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        wait_until(lambda: self.supervision.is_told)

    def _run(self) -> None:
        with suppress(Stopped):
            self.supervision.run()

    def end(self) -> None:
        self.stop.set()
        self.supervision.wake()
        self.thread.join(5)
        self.watcher.stop()
        assert not self.thread.is_alive()


def pulses(watched: Watched, lags: set[float]) -> int:
    """Of how many the lag was seen."""
    lags.add(watched.watcher.lag_s)
    return len(lags) - 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "above" / "library"
    root.mkdir(parents=True)
    if not is_local(root):
        pytest.skip("the folder of the tests is on no disk of this machine")
    return root


@pytest.fixture
def watched(root: Path) -> Iterator[Watched]:
    watched = Watched(root)
    yield watched
    watched.end()


def test_a_folder_above_that_is_renamed_is_noticed_and_so_is_its_return(watched: Watched, root: Path) -> None:
    root.parent.rename(root.parent.with_name("elsewhere"))
    wait_until(lambda: watched.reasons == ["the library is missing"])

    root.parent.with_name("elsewhere").rename(root.parent)
    wait_until(lambda: f"the library {EMPTY}" in watched.reasons)


def test_a_library_that_is_removed_is_noticed(watched: Watched, root: Path) -> None:
    root.rmdir()

    wait_until(lambda: "the library is missing" in watched.reasons)


def test_while_nothing_happens_it_is_not_looked_at(root: Path) -> None:
    watched = Watched(root, pulse_every_s=0.01)
    try:
        lags = {watched.watcher.lag_s}
        wait_until(lambda: pulses(watched, lags) > 0)
        # The look of the start is over by now.
        looks = watched.library.looks
        wait_until(lambda: pulses(watched, lags) > PULSES)
    finally:
        watched.end()
    assert watched.library.looks == looks
    assert watched.reasons == []


def test_a_watcher_that_does_not_answer_is_started_again(root: Path) -> None:
    watched = Watched(root, pulse_every_s=0.05)
    try:
        watched.watcher.stop()
        wait_until(lambda: "watching restarted with inotify" in watched.reasons)
        assert watched.watcher.pulse()
    finally:
        watched.end()


def test_sleep_and_a_clock_that_was_set_are_told_apart() -> None:
    now = {"awake": 0.0, "boot": 0.0, "unix": 0.0}
    jumps = ClockJumps(lambda: now["awake"], lambda: now["boot"], lambda: now["unix"])

    def after(awake: float, boot: float, unix: float) -> str:
        now["awake"] += awake
        now["boot"] += boot
        now["unix"] += unix
        return jumps.seen()

    assert after(60, 60, 60) == ""
    assert after(60, 3600, 3600) == "the machine was asleep"
    assert after(60, 60, 3600) == "the clock was set"
    assert after(60, 60, -3600) == "the clock was set"
    assert after(3600, 3600, 3601) == ""


def test_a_machine_that_was_asleep_is_scanned(root: Path) -> None:
    boot = [0.0]
    watched = Watched(root, clock=ClockJumps(lambda: 0.0, lambda: boot[0], lambda: boot[0]), pulse_every_s=0.05)
    try:
        boot[0] += 3600
        wait_until(lambda: watched.reasons == ["the machine was asleep"])
    finally:
        watched.end()
