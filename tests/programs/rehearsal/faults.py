"""What happens to containers, done to those of the rehearsal: a library that cannot be read, a hang, a damaged file."""

import json
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from examples.samples import draw_samples
from tests.programs.rehearsal.container import Container

TURNED_WITHIN_S = 60.0
CHECKS = 20

Tell = Callable[[str], None]
Ask = Callable[[str], str]
"""From a command line of `lookalike` to what it prints."""


def try_faults(containers: Mapping[str, Container], place: Path, ask: Ask, tell: Tell) -> None:
    """Does each of them; all is well again after each."""
    library = place / "photos"
    _deny_library(containers, library, tell)
    _freeze(containers["ingest"], tell)
    _damage_log(containers["redis"], place, tell)
    _mount_later(library, ask, tell)


def check_costs(containers: Mapping[str, Container]) -> dict[str, float]:
    """Milliseconds of CPU that one check of each takes, without what entering the container takes."""
    costs = {}
    for name, container in containers.items():
        empty = _cpu_ms(lambda container=container: container.run("true"))  # type: ignore[misc]
        costs[name] = _cpu_ms(container.check) - empty
    return costs


def _deny_library(containers: Mapping[str, Container], library: Path, tell: Tell) -> None:
    parts = [containers[name] for name in ("ingest", "producer")]
    library.chmod(0o700)
    for part in parts:
        _wait(lambda part=part: not part.is_healthy(), f"{part.name} is unhealthy")  # type: ignore[misc]
        tell(f"{part.name}, over a library of mode 700: {part.check().stdout.strip()}")
    library.chmod(0o755)
    for part in parts:
        _wait(part.is_healthy, f"{part.name} is healthy again")


def _freeze(part: Container, tell: Tell) -> None:
    assert part.process is not None
    part.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    _wait(lambda: not part.is_healthy(), f"{part.name} is unhealthy")
    tell(f"{part.name}, stopped by SIGSTOP, is unhealthy after {time.monotonic() - begun:.0f} s")
    part.process.send_signal(signal.SIGCONT)
    _wait(part.is_healthy, f"{part.name} is healthy again")


def _damage_log(redis: Container, place: Path, tell: Tell) -> None:
    redis.stop()
    (log,) = (place / "containers" / "redis" / "volumes" / "redis" / "appendonlydir").glob("*.incr.aof")
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(size // 2)
        # Within a value, a few bytes would be no damage.
        file.write(bytes(size // 2))
    redis.start()
    redis.wait_healthy(TURNED_WITHIN_S)
    assert "is damaged and is mended" in redis.said.read_text()
    tell(f"redis is healthy again after the second half of its log of {size} bytes was overwritten")


def _mount_later(library: Path, ask: Ask, tell: Tell) -> None:
    """A disk that is mounted within the library, whose pictures are there until it is unmounted."""
    before = _count(ask, "indexed")
    disk = library / "late"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(disk)], check=True)
    draw_samples(disk)
    drawn = sum(1 for path in disk.rglob("*") if path.is_file())
    begun = time.monotonic()
    _wait(lambda: _count(ask, "indexed") == before + drawn, f"{drawn} pictures more are indexed")
    tell(f"{drawn} pictures of a disk that was mounted later are indexed after {time.monotonic() - begun:.0f} s")
    subprocess.run(["umount", str(disk)], check=True)
    # The next rescan removes them; it is early here.
    _wait(lambda: _count(ask, "indexed") == before, "they leave the index with the disk")
    tell("they leave the index with the disk")


def _count(ask: Ask, what: str) -> int:
    return int(json.loads(ask("status --wait --json"))[what])


def _cpu_ms(run: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(CHECKS):
        run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / CHECKS * 1000


def _wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + TURNED_WITHIN_S
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not so within {TURNED_WITHIN_S:.0f} s: {what}")
        time.sleep(0.5)
