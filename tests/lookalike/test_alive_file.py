"""A part that is dead, hung or cannot read its library is unhealthy, by a check that starts no Python."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lookalike.system.alive_file import (
    BROKER_AWAY,
    STARTING,
    AliveFile,
    PartHealth,
    alive_while_starting,
    library_trouble,
    read_health,
)
from tests.support.waiting import wait_until

CHECK = Path(__file__).resolve().parents[2] / "deploy" / "healthy.sh"
NOBODY = 12345


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alive"


@pytest.fixture
def library() -> Iterator[Path]:
    """Not in pytest's own folder, which no other user can enter."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def checked(file: Path, *question: str) -> tuple[int, str]:
    """Exit code of the check, and what it says."""
    environment = {"PATH": os.environ["PATH"], "LOOKALIKE_ALIVE_FILE": str(file)}
    done = subprocess.run([CHECK, *question], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_part_that_never_said_anything_is_not_well(file: Path) -> None:
    assert checked(file) == (1, "no sign of life for half a minute\n")


def test_a_part_is_well_for_half_a_minute_after_it_said_so(file: Path, library: Path) -> None:
    AliveFile(file, library).write()
    assert checked(file) == (0, "")

    os.utime(file, (time.time() - 40, time.time() - 40))
    assert checked(file)[0] == 1


def test_an_empty_file_becomes_new_again(file: Path) -> None:
    alive = AliveFile(file)
    alive.write()
    os.utime(file, (1, 1))

    alive.write()

    assert checked(file) == (0, "")


def test_a_library_that_cannot_be_listed_is_told_with_its_reason(file: Path, tmp_path: Path) -> None:
    alive = AliveFile(file, tmp_path / "gone")
    alive.write()

    code, said = checked(file)

    assert code == 1
    assert said.startswith(f"The library {tmp_path / 'gone'} cannot be read (No such file or directory): ")
    assert "LOOKALIKE_UID" in said


@pytest.mark.parametrize("mode", [0o700, 0o711, 0o744])
def test_a_library_of_another_user_is_told(library: Path, mode: int) -> None:
    library.chmod(mode)

    assert "(Permission denied)" in as_nobody(lambda: library_trouble(library))


def test_a_library_that_others_may_read_is_well(library: Path) -> None:
    library.chmod(0o755)

    assert as_nobody(lambda: library_trouble(library)) == ""


def test_without_a_beat_of_the_main_loop_nothing_is_written(file: Path) -> None:
    alive = AliveFile(file)
    alive.start()

    assert not file.exists()
    alive.beat()
    wait_until(file.exists)


def test_a_part_without_a_broker_lives_and_is_not_ready(file: Path) -> None:
    alive = AliveFile(file)
    alive.beat(BROKER_AWAY)
    alive.write()

    assert checked(file, "live") == (0, "")
    assert checked(file, "ready") == (1, BROKER_AWAY)
    assert read_health(file, time.time()) == PartHealth(True, BROKER_AWAY)

    alive.beat()
    alive.write()

    assert checked(file, "ready") == (0, "")
    assert read_health(file, time.time()) == PartHealth(True, "")


def test_a_part_that_says_nothing_for_half_a_minute_does_not_live(file: Path) -> None:
    AliveFile(file).write()
    os.utime(file, (time.time() - 40, time.time() - 40))

    assert checked(file, "live")[0] == 1
    assert not read_health(file, time.time()).lives
    assert not read_health(file.with_name("never"), time.time()).lives


def test_a_part_that_waits_for_its_store_at_the_start_lives_and_leaves_no_thread(file: Path) -> None:
    threads = threading.active_count()

    with alive_while_starting(file):
        wait_until(lambda: read_health(file, time.time()) == PartHealth(True, STARTING))
        assert checked(file, "live") == (0, "")

    assert threading.active_count() == threads


def as_nobody(ask: Callable[[], str]) -> str:
    """What a child process of a user without any rights finds."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os.write(write, ask().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return said
