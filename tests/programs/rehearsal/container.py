"""Runs a service's command as its container would: read-only files, its user, name, environment and mounts, no rights.

Not imitated: limits of processor and memory, a network and a list of processes of its own, the engine's own init.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.programs.rehearsal.image import Image, mounted

# As the engine writes it for the services of one network.
HOSTS = "127.0.0.1 localhost redis qdrant\n"
# An engine that is told of a proxy names it in every container; nothing answers at this one.
PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
CHECK_EVERY_S = 0.5
LEAST_RIGHTS = ("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--clear-groups")


@dataclass
class Container:
    """One service; `said` has what it wrote."""

    name: str
    service: Mapping[str, Any]
    image: Image
    root: Path
    said: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        """What the image sets, what the engine adds, what compose sets, and the name of the host."""
        given = {name: str(value) for name, value in self.service.get("environment", {}).items()}
        return {**self.image.environment, **PROXIES, **given, "HOSTNAME": self.host}

    @property
    def host(self) -> str:
        """The engine gives a number."""
        return f"container-{self.name}"

    def start(self) -> None:
        """Starts the command of the service, else that of its image."""
        command = self.service.get("command") or self.image.command
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                self._inside(command), env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def run(self, *command: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Runs a command in it, as `docker compose exec` would."""
        return subprocess.run(
            self._inside(list(command)), env=self.environment,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def check(self) -> "subprocess.CompletedProcess[str]":
        """Runs its health check as it is written. Raises TimeoutExpired."""
        kind, *test = self.service["healthcheck"]["test"]
        command = ["sh", "-c", test[0]] if kind == "CMD-SHELL" else test
        return self.run(*command, timeout_s=float(self.service["healthcheck"]["timeout"][:-1]))

    def is_healthy(self) -> bool:
        """Whether its health check ends with 0 in its time."""
        try:
            return self.check().returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def wait_healthy(self, within_s: float) -> float:
        """Seconds until it was healthy. Raises TimeoutError with what it said."""
        begun = time.monotonic()
        while not self.is_healthy():
            ended = None if self.process is None else self.process.poll()
            if ended is not None or time.monotonic() - begun > within_s:
                raise TimeoutError(f"{self.name} is not healthy (exit code {ended}):\n{self.said.read_text()[-3000:]}")
            time.sleep(CHECK_EVERY_S)
        return time.monotonic() - begun

    def stop(self) -> float:
        """SIGTERM, and SIGKILL when its time is over; seconds that it took."""
        if self.process is None or self.process.poll() is not None:
            return 0.0
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(float(str(self.service.get("stop_grace_period", "10s"))[:-1]))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return time.monotonic() - begun

    def _inside(self, command: list[str]) -> list[str]:
        user, _, group = str(self.service.get("user", self.image.user)).partition(":")
        who = [f"--reuid={user}", f"--regid={group or user}", *LEAST_RIGHTS]
        enter = (
            f'hostname {self.host} && exec chroot {self.root} sh -c \'cd "$0" && exec "$@"\' {self.image.folder} "$@"'
        )
        return ["unshare", "--uts", "sh", "-c", enter, "sh", "setpriv", *who, *command]


def prepared(name: str, service: Mapping[str, Any], image: Image, place: Path) -> Container:
    """A container with its mounts, not started."""
    root = mounted(image.layers, place)
    (root / "etc/hosts").write_text(HOSTS)
    for volume in service.get("volumes", []):
        _mount(volume, root, place / "volumes")
    if service.get("read_only"):
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    return Container(name, service, image, root, place / "said.log")


def _mount(volume: str | Mapping[str, Any], root: Path, place: Path) -> None:
    """A folder of the host, or a named volume, which takes over owner and content of the folder that it covers."""
    if isinstance(volume, str):
        source, target = volume.split(":")
        there, here = root / target.lstrip("/"), place / source
        here.mkdir(parents=True)
        there.mkdir(parents=True, exist_ok=True)
        owner = there.stat()
        os.chown(here, owner.st_uid, owner.st_gid)
        subprocess.run(["mount", "--bind", str(here), str(there)], check=True)
        return
    there = root / str(volume["target"]).lstrip("/")
    there.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--rbind", str(volume["source"]), str(there)], check=True)
    subprocess.run(["mount", f"--make-{volume['bind']['propagation']}", str(there)], check=True)
    if volume["read_only"]:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(there)], check=True)
