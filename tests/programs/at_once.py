"""Two systems that start in the same moment: `python -m tests.programs.at_once --rounds 50 [--users 1001,1002]`.

Each round starts two small systems (a real broker, small programs for the rest) for two libraries that are new, without
naming data folders, waits until both run, and compares their ports and data folders. With `--users`, as root, each
system belongs to a user of its own.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from lookalike.system.discovery import RunningSystem
from tests.local.conftest import MARK, ROOT, SMALL_SYSTEM
from tests.support.waiting import wait_until

STARTED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0
# In place of the name of a data folder.
NONE = "-"


class Together:
    """Two systems of one home, or of two users."""

    def __init__(self, folder: Path, mark: str, users: Sequence[int] = ()) -> None:
        self._folder, self._mark, self._users = folder, mark, users
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> list[RunningSystem]:
        """Starts both; what they publish once both run. Raises RuntimeError if one ends."""
        for at in range(2):
            library = self._folder / f"library-{at}"
            library.mkdir(exist_ok=True)
            home, user = self._home(at), self._users[at] if self._users else None
            kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}
            paths = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
            ours = {"PYTHONPATH": paths, "XDG_DATA_HOME": str(home), "TMPDIR": str(home), MARK: self._mark}
            with self._log(at).open("wb") as log:
                command = [sys.executable, str(SMALL_SYSTEM), NONE, str(library)]
                system = subprocess.Popen(
                    command, env=kept | ours, cwd=home, stdout=log, stderr=log, user=user, group=user
                )
                self._started.append(system)
        wait_until(lambda: len(self._published()) == 2 or self._has_ended(), STARTED_WITHIN_S)
        if self._has_ended():
            raise RuntimeError("\n".join(self._log(at).read_text() for at in range(2)))
        return self._published()

    def said(self) -> str:
        """What both printed."""
        return "".join(self._log(at).read_text() for at in range(2))

    def stop(self) -> None:
        """Stops both."""
        for system in self._started:
            if system.poll() is None:
                system.send_signal(signal.SIGTERM)
        for system in self._started:
            system.wait(STOPPED_WITHIN_S)

    def _home(self, at: int) -> Path:
        home = self._folder / f"home-{at if self._users else 0}"
        home.mkdir(exist_ok=True)
        if self._users:
            os.chown(home, self._users[at], self._users[at])
        return home

    def _log(self, at: int) -> Path:
        return self._folder / f"{at}.log"

    def _published(self) -> list[RunningSystem]:
        found = [
            RunningSystem.model_validate(json.loads(path.read_bytes())) for path in self._folder.rglob("running.json")
        ]
        return [running for running in found if running.pid in {system.pid for system in self._started}]

    def _has_ended(self) -> bool:
        return any(system.poll() is not None for system in self._started)


def ports_of(running: RunningSystem) -> set[int]:
    """The ports of its four servers."""
    urls = (running.redis_url, running.qdrant_url, running.flower_url, running.web_url or "")
    return {port for url in urls if (port := urlsplit(url).port) is not None}


def main() -> int:
    """Prints what came out; exit code 1 if two systems shared a port or a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.at_once", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--users", type=lambda text: [int(user) for user in text.split(",")], default=[])
    asked = parser.parse_args()
    shared = again = 0
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
            Path(folder).chmod(0o755)
            both = Together(Path(folder), f"at-once-{number}", asked.users)
            held.callback(both.stop)
            one, other = both.start()
            shared += bool(ports_of(one) & ports_of(other)) or one.data == other.data
            again += "started again on other ports" in both.said()
    sys.stdout.write(f"{asked.rounds} rounds, {shared} with a port or folder in common, {again} started again\n")
    return 1 if shared else 0


if __name__ == "__main__":
    sys.exit(main())
