"""Programs that are forked from the supervisor behave as if they had been executed."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.local.supervision.forking.shared_imports import MODULES
from lookalike.system.process_guard import GUARDIAN, guarded_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere programs are executed")

FORKS = """
import os, signal, sys
from lookalike.local.supervision.forking.forked_program import find_title_room, run_forked
from lookalike.system.process_guard import guard_arguments
find_title_room()
signal.signal(signal.SIGTERM, lambda *_: None)
child = os.fork()
if child == 0:
    run_forked(guard_arguments(sys.argv[1:]), {**os.environ, "GIVEN": "yes"})
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def forked(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The outcome of a program with this code, run by a child of a fork."""
    (folder / "program.py").write_text(code)
    command = guarded_command(signal.SIGKILL, [sys.executable, "-m", "program", *arguments], lock="lock")
    # The forking process itself is the guardian that the child checks.
    code = FORKS.replace("child = os.fork()", f"os.environ[{GUARDIAN!r}] = str(os.getpid())\nchild = os.fork()")
    return subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_arguments_name_and_environment_are_those_of_a_program(tmp_path: Path) -> None:
    ended = forked(tmp_path, "import os, sys\nprint(__name__, sys.argv[1:], os.environ['GIVEN'])", "--a", "b c")

    assert ended.stdout == "__main__ ['--a', 'b c'] yes\n"
    assert ended.returncode == 0


def test_signals_do_what_they_do_in_a_new_program(tmp_path: Path) -> None:
    told = "import signal as s\nprint(s.getsignal(s.SIGTERM) == s.SIG_DFL, s.getsignal(s.SIGINT).__name__)"

    assert forked(tmp_path, told).stdout == "True default_int_handler\n"


@pytest.mark.parametrize(
    ("code", "exit_code", "told"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit('No broker.')", 1, "No broker.\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 256 - signal.SIGTERM, ""),
    ],
)
def test_it_ends_as_a_program_does(tmp_path: Path, code: str, exit_code: int, told: str) -> None:
    ended = forked(tmp_path, code)

    # A signal is told by a negative number, of which the shell sees the lowest eight bits.
    assert (ended.returncode, ended.stderr[-len(told) or len(ended.stderr) :]) == (exit_code, told)


def test_what_was_registered_for_the_end_is_done(tmp_path: Path) -> None:
    late = """
import atexit, threading, time
atexit.register(lambda: print("at exit"))
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
"""

    assert forked(tmp_path, late).stdout == "thread\nat exit\n"


def test_it_holds_the_lock_and_has_its_own_title(tmp_path: Path) -> None:
    told = """
import fcntl, pathlib
try:
    fcntl.flock(open("lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held", pathlib.Path("/proc/self/cmdline").read_text().strip(chr(0)).endswith("-m program"))
"""

    assert forked(tmp_path, told).stdout == "held True\n"


@pytest.mark.parametrize("module", MODULES)
def test_each_shared_module_is_there(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_importing_starts_nothing_and_opens_nothing() -> None:
    code = """
import os
from lookalike.local.supervision.forking.shared_imports import import_shared
def opened():
    paths = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return {os.readlink(path) for path in paths if os.path.exists(path)}
before = opened()
import_shared()
print(len(os.listdir("/proc/self/task")), opened() - before)
"""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**bare, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert ended.stdout == "1 set()\n"
