"""systemd runs the unit that `lookalike service install` writes: `python -m tests.programs.service`.

As root, with Debian's systemd-container, in some four minutes: a systemd of its own starts in a container whose root is
an overlay of this machine's and is gone afterwards. In it the unit of the machine is installed, started, and watched
while pictures are indexed, the store is frozen for longer than the watchdog waits, and the supervisor for good. Prints
what came of it, and ends with 1 if something was otherwise than docs/health.md says.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lookalike.local.service.unit import WATCHDOG_S
from tests.support.command_lines import SUPERVISOR
from tests.support.pictures import draw
from tests.support.waiting import wait_until

NAME = "lookalike-photos"
PHOTOS = Path("/srv/photos")
PICTURES = 3
WITHIN_S = 120.0
# In namespaces of mounts of their own, so that nothing of it is left here.
CONTAINER = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mkdir -p "$1/root$3"
cp "$2"/* "$1/root$3"
exec systemd-nspawn --quiet --directory="$1/root" --private-network --register=no --keep-unit --console=pipe \
  --machine=lookalike-service --boot systemd.unit=basic.target
"""


def main() -> int:
    """Exit code."""
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as drawn:
        for seed in range(PICTURES):
            draw(Path(drawn) / f"{seed}.png", seed)
        with _booted(Path(place), Path(drawn)) as inside:
            return 0 if _is_as_documented(Inside(inside)) else 1


class Inside:
    """Runs commands in the container whose init has this id."""

    def __init__(self, leader: int) -> None:
        self._enter = ["nsenter", "--target", str(leader), "--all", "--wd=/root"]

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """What a command prints there."""
        return subprocess.run([*self._enter, *command], capture_output=True, text=True, check=False, timeout=WITHIN_S)

    def lookalike(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of ours."""
        return self.run(sys.executable, "-P", "-m", "lookalike", *words)

    def shown(self, field: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", NAME, "--property", field, "--value").stdout.strip()

    def signal(self, number: str, words: str) -> None:
        """Sends a signal to the oldest process with these words on its command line."""
        self.run("pkill", f"-{number}", "--oldest", "--full", words)


def _is_as_documented(inside: Inside) -> bool:
    """Goes through what docs/health.md promises, and tells of each."""
    told: list[bool] = []

    def tell(what: str, is_so: bool) -> None:  # noqa: FBT001 (a fact, not a switch)
        told.append(is_so)
        sys.stdout.write(f"{'ok' if is_so else 'NO':3} {what}\n")
        sys.stdout.flush()

    made = inside.lookalike("service", "install", str(PHOTOS), "--system", "--run-as", "root")
    inside.run("systemctl", "daemon-reload")
    begun_s = time.monotonic()
    started = inside.run("systemctl", "enable", "--now", NAME)
    tell(f"started after {time.monotonic() - begun_s:.1f} s", (made.returncode, started.returncode) == (0, 0))
    indexed = inside.lookalike("status", "--wait", "--timeout", "60")
    tell(f"{PICTURES} pictures are indexed", f"indexed     {PICTURES}" in indexed.stdout)
    tell("a search finds one", "1.png" in inside.lookalike("search", str(PHOTOS / "1.png"), "-k", "1").stdout)
    tell("it is live and ready", inside.lookalike("health").returncode == 0)
    inside.signal("STOP", "edge --data store")
    time.sleep(1.25 * WATCHDOG_S)
    answers = [inside.lookalike("health", question).returncode for question in ("--live", "--ready")]
    tell(f"a store that is frozen leaves it live and not ready: {answers}", answers == [0, 1])
    inside.signal("CONT", "edge --data store")
    tell("and restarts nothing", inside.shown("NRestarts") == "0")
    begun_s = time.monotonic()
    inside.signal("STOP", SUPERVISOR)
    with suppress(TimeoutError):
        wait_until(lambda: inside.shown("NRestarts") == "1", WITHIN_S, every_s=1.0)
    restarts = inside.shown("NRestarts")
    tell(f"a frozen supervisor is started again after {time.monotonic() - begun_s:.0f} s", restarts == "1")
    with suppress(TimeoutError):
        wait_until(lambda: inside.shown("ActiveState") == "active", WITHIN_S, every_s=1.0)
    refused = inside.lookalike("service", "uninstall", str(PHOTOS), "--system")
    tell("it is not removed while it is enabled", refused.returncode == 1)
    begun_s = time.monotonic()
    inside.run("systemctl", "disable", "--now", NAME)
    tell(
        f"stopped after {time.monotonic() - begun_s:.1f} s: {inside.shown('Result')}",
        inside.shown("Result") == "success",
    )
    removed = inside.lookalike("service", "uninstall", str(PHOTOS), "--system")
    tell("removed", removed.returncode == 0)
    return all(told)


@contextmanager
def _booted(place: Path, photos: Path) -> Iterator[int]:
    """A container while the block runs; the id of its init."""
    # As the kernel here has its groups of processes.
    environment = {
        **os.environ,
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": str(int(Path("/sys/fs/cgroup/cgroup.procs").exists())),
    }
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", CONTAINER, "sh"]
    command += map(str, (place, photos, PHOTOS))
    # What is mounted over the folder is seen by the container alone.
    with (place / "container.log").open("wb") as log:
        container = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        leader = wait_until(lambda: _leader(container.pid), WITHIN_S)
        inside = Inside(leader)
        wait_until(lambda: inside.run("systemctl", "is-active", "basic.target").returncode == 0, WITHIN_S, every_s=0.5)
        yield leader
    finally:
        with suppress(psutil.Error):
            for child in psutil.Process(container.pid).children(recursive=True):
                child.kill()
        container.kill()
        container.wait()


def _leader(pid: int) -> int:
    """The child of systemd-nspawn that is an init; 0 as long as there is none."""
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            if child.cmdline()[0].endswith("/systemd"):
                return child.pid
    return 0


if __name__ == "__main__":
    sys.exit(main())
