"""Locks on files, held by this process and by others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.system.file_locks import LockHeld, hold_lock, is_unlocked, lock_holder, wait_unlocked
from lookalike.system.process_guard import GUARDIAN, guarded_command
from tests.support.waiting import wait_until


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


def test_a_held_lock_names_its_holder_and_is_refused_to_others(lock: Path) -> None:
    with hold_lock(lock):
        assert lock_holder(lock) == os.getpid()
        assert not is_unlocked(lock)
        with pytest.raises(LockHeld), hold_lock(lock):
            pass


def test_a_lock_that_was_let_go_names_nobody(lock: Path) -> None:
    with hold_lock(lock):
        pass

    assert lock_holder(lock) is None
    assert is_unlocked(lock)


def test_a_lock_that_does_not_exist_is_free(tmp_path: Path) -> None:
    assert is_unlocked(tmp_path / "nothing")
    assert lock_holder(tmp_path / "nothing") is None


def test_a_guarded_command_holds_its_lock_until_it_is_dead(lock: Path) -> None:
    command = guarded_command(signal.SIGKILL, ["sleep", "60"], lock=str(lock))
    with subprocess.Popen(command, env={**os.environ, GUARDIAN: str(os.getpid())}) as sleeping:
        wait_until(lambda: not is_unlocked(lock), 10)
        sleeping.kill()
    assert wait_unlocked(lock, 5)


def test_a_guarded_command_whose_guardian_is_gone_does_not_begin(tmp_path: Path) -> None:
    touching = guarded_command(signal.SIGKILL, ["touch", str(tmp_path / "begun")])

    ended = subprocess.run(touching, env={**os.environ, GUARDIAN: "1"}, check=False)

    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "begun").exists()


def test_a_guarded_command_dies_with_its_guardian(tmp_path: Path) -> None:
    # The guardian starts a sleeper, tells its pid and waits; then it is killed.
    line = (
        "import os, subprocess, sys; from lookalike.system.process_guard import *; import signal;"
        f"os.environ[GUARDIAN] = str(os.getpid()); lock = {str(tmp_path / 'lock')!r};"
        "subprocess.Popen(guarded_command(signal.SIGKILL, ['sleep', '60'], lock=lock)).wait()"
    )
    guardian = subprocess.Popen([sys.executable, "-c", line], env={**os.environ, "PYTHONPATH": os.getcwd()})  # noqa: PTH109
    try:
        wait_until(lambda: not is_unlocked(tmp_path / "lock"), 20)
    finally:
        guardian.kill()
        guardian.wait()

    assert wait_unlocked(tmp_path / "lock", 5)


def test_a_command_that_does_not_exist_is_told_in_one_line(tmp_path: Path) -> None:
    command = guarded_command(signal.SIGKILL, [str(tmp_path / "nothing")])

    ended = subprocess.run(
        command, env={**os.environ, GUARDIAN: str(os.getpid())}, check=False, capture_output=True, text=True
    )

    assert ended.returncode == 1
    assert ended.stderr == f"{tmp_path / 'nothing'}: No such file or directory\n"
