"""A backup has its name when it is whole, tells what is not as it was written, and replaces nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from lookalike.broker.generations import Generation, Reindex, ReindexState
from lookalike.errors import LookalikeError
from lookalike.library.joined.folders import folders_of
from lookalike.local.backup import (
    add_generation,
    begin_backup,
    check_backup,
    end_backup,
    need_empty,
    restore_files,
    restore_identity,
)
from lookalike.local.folders.joining import join, joined_root
from lookalike.local.folders.library_identity import keep_identity, owned_by
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.generation_file import GenerationFile


@pytest.fixture
def backup(folder: DataFolder, tmp_path: Path) -> Path:
    keep_identity(tmp_path / "library", "the-id", folder)
    folder.models.mkdir()
    (folder.models / "fetched.onnx").write_bytes(b"weights")
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

    assert sorted(about["sha256"]) == ["index.npz", "library.json", "models/fetched.onnx"]
    assert owned_by(restored) == owned_by(folder)
    assert (restored.models / "fetched.onnx").read_bytes() == b"weights"
    assert sorted(path.name for path in restored.logs.iterdir()) == []
    with pytest.raises(LookalikeError, match="is in use by the library"):
        need_empty(restored)


def test_the_names_of_several_folders_go_with_it(folder: DataFolder, tmp_path: Path) -> None:
    folders = [tmp_path / "photos", tmp_path / "more" / "photos"]
    for each in folders:
        each.mkdir(parents=True)
    keep_identity(join(folder, folders, only_these=False, rebuild=False).root, "the-id", folder)
    end_backup(begin_backup(tmp_path / "kept", folder), tmp_path / "kept")
    restored = DataFolder(tmp_path / "restored")
    make_data_folder(restored)

    restore_files(tmp_path / "kept", restored)
    restore_identity(tmp_path / "kept", restored)

    root = join(restored, folders[::-1], only_these=False, rebuild=False).root
    assert root == joined_root(restored) != joined_root(folder)
    assert folders_of(root) == {"photos": folders[0], "photos-2": folders[1]}


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


def restored_with(generations: dict[str, object], collection: str, folder: DataFolder, tmp_path: Path) -> DataFolder:
    """The data folder that comes of a backup of this collection."""
    (folder.root / "generations.json").write_text(json.dumps(generations))
    part = begin_backup(tmp_path / "kept", folder)
    add_generation(part, folder, collection)
    end_backup(part, tmp_path / "kept")
    restored = DataFolder(tmp_path / "restored")
    make_data_folder(restored)
    restore_files(tmp_path / "kept", restored)
    return restored


@pytest.mark.parametrize("where", ["elsewhere", "fetched"])
def test_the_model_that_a_reindex_switched_to_goes_with_it(folder: DataFolder, tmp_path: Path, where: str) -> None:
    model = (folder.models if where == "fetched" else tmp_path) / "new.onnx"
    model.parent.mkdir(exist_ok=True)
    model.write_bytes(b"weights")
    served = asdict(Generation(str(model), "euclid", "photos-2"))

    restored = restored_with({"served": served, "kept": None, "reindex": None}, "photos-2", folder, tmp_path)
    model.unlink()

    found = GenerationFile(restored.root).served()
    assert found is not None
    assert (found.distance, found.collection) == ("euclid", "photos-2")
    assert Path(found.model).read_bytes() == b"weights"
    assert Path(found.model).is_relative_to(restored.models)


def test_a_model_that_ships_is_known_by_its_name(folder: DataFolder, tmp_path: Path) -> None:
    served = Generation("resnet50", "dot", "photos-2")
    kept = asdict(Generation("other", "dot", "photos-1", kept_since=1.0))

    restored = restored_with({"served": asdict(served), "kept": kept, "reindex": None}, "photos-2", folder, tmp_path)

    assert (GenerationFile(restored.root).served(), GenerationFile(restored.root).kept()) == (served, None)


@pytest.mark.parametrize(
    ("state", "collection", "served"), [("filling", "photos-1", None), ("switching", "photos-2", "resnet50")]
)
def test_of_two_generations_the_one_whose_index_is_in_it_counts(
    folder: DataFolder, tmp_path: Path, state: ReindexState, collection: str, served: str | None
) -> None:
    asked = Reindex("resnet50", "cosine", state, "fill", collection="photos-2")

    restored = restored_with({"served": None, "kept": None, "reindex": asdict(asked)}, collection, folder, tmp_path)

    found = GenerationFile(restored.root).served()
    assert (None if found is None else found.model) == served


def test_a_backup_without_the_model_that_it_needs_is_none(folder: DataFolder, tmp_path: Path) -> None:
    gone = asdict(Generation(str(tmp_path / "gone.onnx"), "cosine", "photos-2"))

    with pytest.raises(LookalikeError, match=r"the model .*gone\.onnx, which cannot be read .* put it back"):
        restored_with({"served": gone, "kept": None, "reindex": None}, "photos-2", folder, tmp_path)
    assert not (tmp_path / "kept").exists()
