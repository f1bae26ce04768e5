"""What doctor finds of the data folder, its disk, the library and the ports."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.doctor.result import CheckResult
from lookalike.doctor.storage import check_data_folder, check_disk, check_library, check_ports, check_rules
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, make_data_folder

UNSHARE = shutil.which("unshare") or "unshare"


def test_a_data_folder_that_is_made_later_is_well(tmp_path: Path) -> None:
    assert check_data_folder(DataFolder(tmp_path / "a" / "b")).state == "ok"
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_others_can_read_is_told(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    make_data_folder(folder)
    assert check_data_folder(folder).state == "ok"

    folder.root.chmod(0o755)

    assert check_data_folder(folder) == CheckResult(
        "data folder", "warning", f"{folder.root} is open to others (mode 755)", f"chmod 700 {folder.root}"
    )


def test_a_data_folder_with_files_of_somebody_is_broken(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").touch()

    assert check_data_folder(DataFolder(tmp_path)).state == "broken"


def test_a_full_disk_is_broken(tmp_path: Path) -> None:
    ask = f"from pathlib import Path; from lookalike.doctor.storage import check_disk; from lookalike.system.data_folder import DataFolder; print(check_disk(DataFolder(Path({str(tmp_path)!r}))))"  # noqa: E501
    mounted = [
        UNSHARE,
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=20m none "$0" && exec "$@"',
    ]
    if subprocess.run([*mounted, str(tmp_path), "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")

    done = subprocess.run(
        [*mounted, str(tmp_path), sys.executable, "-c", ask], check=True, capture_output=True, text=True
    )

    assert "state='broken'" in done.stdout
    assert "20 MiB free" in done.stdout
    assert check_disk(DataFolder(tmp_path)).state == "ok"


def test_an_empty_library_may_be_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    (tmp_path / "photos").mkdir()

    assert check_library(Settings(), folder).state == "ok"
    assert check_library(Settings(library=tmp_path / "photos"), folder).state == "warning"
    assert check_library(Settings(library=tmp_path / "none"), folder).state == "broken"


def test_a_port_that_is_taken_is_stepped_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (flower, *_) = check_ports(Settings(flower_port=taken), None)

    assert (flower.name, flower.state) == ("port of flower", "ok")
    assert f"{taken} is taken" in flower.found


def test_no_port_at_all_is_broken() -> None:
    (flower, *_) = check_ports(Settings(flower_host="192.0.2.1"), None)

    assert flower.state == "broken"


def test_patterns_that_cannot_work_are_found_with_the_right_form(tmp_path: Path) -> None:
    (tmp_path / ".lookalikeignore").write_text("out/\n./Trash\n")

    assert check_rules(Settings(ignore=("raw/", "*.tmp.jpg"))).found.endswith("2 patterns besides the defaults")
    assert "write jpg,png" in str(check_rules(Settings(extensions=("jpg png",))).remedy)
    found = check_rules(Settings(library=tmp_path))
    assert (found.state, found.remedy) == ("broken", ".lookalikeignore:2: './Trash' can match nothing: write '/Trash'.")
