"""What doctor finds of the machine: Python, processor, and watches of the kernel."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.doctor.host import check_processor, check_python, check_watching
from lookalike.doctor.packages import check_versions
from lookalike.settings import Settings

UNSHARE = shutil.which("unshare") or "unshare"


def test_python_and_what_is_installed_are_told() -> None:
    assert check_python().state == "ok"
    assert sys.executable in check_python().found
    assert "celery 5." in check_versions().found


def test_a_processor_without_vector_instructions_is_told(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor: 0\nflags\t\t: fpu sse2 ssse3\n")

    assert check_processor(tmp_path / "cpuinfo").state == "warning"
    assert check_processor(tmp_path / "none").state == "ok"


def test_fewer_watches_than_folders_are_told_with_the_command(tmp_path: Path) -> None:
    limits = tmp_path / "fs" / "inotify"
    limits.mkdir(parents=True)
    for name, value in (("max_user_watches", 2), ("max_user_instances", 1), ("max_queued_events", 3)):
        (limits / name).write_text(f"{value}\n")
    for name in ("a", "b"):
        (tmp_path / "library" / name).mkdir(parents=True)

    found = check_watching(Settings(library=tmp_path / "library"), tmp_path)

    assert (found.state, "at least 3 folders" in found.found) == ("warning", True)
    assert "fs.inotify.max_user_watches=12" in (found.remedy or "")


def test_a_kernel_that_refuses_watches_is_told() -> None:
    """In a namespace of its own the limit can be set to nothing."""
    refuse = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    ask = "from lookalike.doctor.host import check_watching; from lookalike.settings import Settings; "
    command = [UNSHARE, "--user", "--map-root-user", "sh", "-c", refuse, "sh"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")

    done = subprocess.run(
        [*command, sys.executable, "-c", ask + "print(check_watching(Settings()))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert "state='warning'" in done.stdout
    assert "sysctl" in done.stdout


def test_polling_needs_no_watches() -> None:
    assert check_watching(Settings(polling=True)).found.startswith("polling")
