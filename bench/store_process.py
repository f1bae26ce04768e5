"""An edge server for the bench: started on a folder, watched from outside, stopped."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
BLOCK_BYTES = 512
MIB = 1 << 20
_READY = re.compile(r"ready url=(\S+)")


@dataclass(frozen=True)
class Server:
    """A running server; `log` is its output since it started."""

    url: str
    pid: int
    log: Path


@dataclass(frozen=True)
class Footprint:
    """MiB of all its processes, shared memory counted once: their own, of mapped files, and the folder's on disk."""

    anonymous: int
    file: int
    disk: int

    def most(self, other: "Footprint") -> "Footprint":
        """The larger of each."""
        return Footprint(max(self.anonymous, other.anonymous), max(self.file, other.file), max(self.disk, other.disk))


@contextmanager
def store_process(data: Path, hnsw_threshold: int) -> Iterator[Server]:
    """A server on a free port, ready."""
    log = data.with_name("log")
    command = [
        sys.executable,
        "-m",
        "edge",
        "--data",
        str(data),
        "--port",
        "0",
        "--hnsw-threshold",
        str(hnsw_threshold),
    ]
    with log.open("wb") as sink, subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=sink) as process:
        try:
            while (ready := _READY.search(log.read_text())) is None:
                if process.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.01)
            yield Server(ready[1], process.pid, log)
        finally:
            process.terminate()


def footprint(pid: int, data: Path) -> Footprint:
    """What the server with its children takes now (Linux)."""
    kib = {"Pss_Anon": 0, "Pss_File": 0}
    for one in [pid, *(child.pid for child in psutil.Process(pid).children())]:
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in kib:
                kib[name] += int(value.split()[0])
    return Footprint(kib["Pss_Anon"] // 1024, kib["Pss_File"] // 1024, _disk_bytes(data) // MIB)


def _disk_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_blocks * BLOCK_BYTES
            except FileNotFoundError:
                continue
    return total
