"""A backup has its name when it is whole, tells what is not as it was written, and replaces nothing."""

import json
from pathlib import Path

import pytest

from lookalike.errors import LookalikeError
from lookalike.local.backup import (
    begin_backup,
    check_backup,
    end_backup,
    need_empty,
    restore_files,
    restore_identity,
)
from lookalike.local.library_identity import keep_identity, owned_by
from lookalike.system.data_folder import DataFolder, make_data_folder


@pytest.fixture
def backup(folder: DataFolder, tmp_path: Path) -> Path:
    keep_identity(tmp_path / "library", "the-id", folder)
    folder.models.mkdir()
    (folder.models / "fetched.onnx").write_bytes(b"weights")
    folder.verdicts.write_text('{"same": true}\n')
    (folder.logs / "ingest.log").write_text("what happened")
    part = begin_backup(tmp_path / "kept", folder)
    (part / "index.npz").write_bytes(b"rows")
    assert not (tmp_path / "kept").exists()
    end_backup(part, tmp_path / "kept")
    return tmp_path / "kept"


def test_it_becomes_a_data_folder_of_the_same_library(backup: Path, folder: DataFolder, tmp_path: Path) -> None:
    restored = DataFolder(tmp_path / "restored")
    make_data_folder(restored)

    about = check_backup(backup)
    need_empty(restored)
    restore_files(backup, restored)
    assert not restored.identity.exists()
    restore_identity(backup, restored)

    assert sorted(about["sha256"]) == ["index.npz", "library.json", "models/fetched.onnx", "verdicts.jsonl"]
    assert owned_by(restored) == owned_by(folder)
    assert (restored.models / "fetched.onnx").read_bytes() == b"weights"
    assert restored.verdicts.read_text() == '{"same": true}\n'
    assert sorted(path.name for path in restored.logs.iterdir()) == []
    with pytest.raises(LookalikeError, match="is in use by the library"):
        need_empty(restored)


def test_a_target_that_holds_something_is_left_alone(backup: Path, folder: DataFolder, tmp_path: Path) -> None:
    before = sorted(backup.iterdir())

    with pytest.raises(LookalikeError, match="holds something already: name a new folder"):
        begin_backup(backup, folder)
    with pytest.raises(LookalikeError, match="There is no folder"):
        begin_backup(tmp_path / "no" / "kept", folder)
    assert sorted(backup.iterdir()) == before


def test_one_that_was_cut_off_is_begun_again(folder: DataFolder, tmp_path: Path) -> None:
    (begin_backup(tmp_path / "second", folder) / "half").write_bytes(b"")
    (tmp_path / "second").mkdir()

    about = end_backup(begin_backup(tmp_path / "second", folder), tmp_path / "second")

    assert "half" not in about["sha256"]
    assert check_backup(tmp_path / "second")["sha256"] == about["sha256"]


def test_what_is_not_as_it_was_written_is_refused(backup: Path, tmp_path: Path) -> None:
    about = json.loads((backup / "backup.json").read_text())

    (backup / "backup.json").write_text(json.dumps({**about, "version": 99}))
    with pytest.raises(LookalikeError, match=r"made by a newer lookalike \(version 99"):
        check_backup(backup)
    (backup / "backup.json").write_text(json.dumps(about))
    (backup / "index.npz").write_bytes(b"row")
    with pytest.raises(LookalikeError, match=r"damaged: index\.npz is not as it was written"):
        check_backup(backup)
    (backup / "backup.json").write_text("{}")
    with pytest.raises(LookalikeError, match="is no backup"):
        check_backup(backup)
    with pytest.raises(LookalikeError, match="is no backup"):
        check_backup(tmp_path)
