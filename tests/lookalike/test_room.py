"""Whether there is room for a second index: what is too small is one sentence before anything begins."""

import shutil
from pathlib import Path

import pytest

from lookalike.system.room import available_mib, folder_mib, needed_memory_mib, refusal

MIB = 2**20
PLENTY = 1_000_000


def store(folder: Path, mib: int) -> Path:
    (folder / "store").mkdir()
    (folder / "store" / "segment").write_bytes(b"x" * (mib * MIB))
    return folder / "store"


def test_a_disk_with_room_for_both_is_no_reason(tmp_path: Path) -> None:
    assert refusal(store(tmp_path, 1), 5.0, 1, memory_mib=PLENTY) == ""


def test_a_disk_without_room_for_a_second_index_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, usage = store(tmp_path, 3), shutil.disk_usage(tmp_path)
    assert folder_mib(folder) == 3
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=102 * MIB))

    why = refusal(folder, 5.0, 1, memory_mib=PLENTY)

    assert "102 MiB free and a second index needs about 103 MiB" in why
    assert "--drop-old" in why


def test_too_little_memory_for_two_models_is_told() -> None:
    needed = needed_memory_mib(100.0, 4)

    assert refusal(None, 100.0, 4, memory_mib=needed) == ""
    assert f"needs about {needed} MiB" in refusal(None, 100.0, 4, memory_mib=needed - 1)
    assert refusal(None, 100.0, 4, memory_mib=None) == ""


def test_the_limit_of_a_container_counts_if_it_is_lower(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemAvailable: 4194304 kB\n")
    assert available_mib(meminfo, tmp_path) == 4096

    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{100 * MIB}\n")
    assert available_mib(meminfo, tmp_path) == 4096

    (tmp_path / "memory.max").write_text(f"{1100 * MIB}\n")
    assert available_mib(meminfo, tmp_path) == 1000
    assert available_mib(tmp_path / "none", tmp_path / "none") is None
