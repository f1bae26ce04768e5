"""The data folder's version: an older one is brought forward, a newer one refused in a sentence."""

import json
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured
from lookalike.local.folders.data_version import STEPS, VERSION, bring_forward
from lookalike.local.folders.library_identity import Owned, identity_of, keep_identity, owned_by
from lookalike.system.data_folder import DataFolder


def test_a_new_folder_gets_the_version_of_this_program(folder: DataFolder) -> None:
    bring_forward(folder)

    assert folder.version.read_text() == f"{VERSION}\n"


def test_each_version_has_a_step_to_the_next() -> None:
    assert sorted(STEPS) == list(range(VERSION))


def test_a_folder_from_before_versions_is_brought_forward(folder: DataFolder, tmp_path: Path) -> None:
    library = tmp_path / "library"
    folder.identity.write_text(json.dumps({"root": str(library), "id": "first"}))

    bring_forward(folder)
    bring_forward(folder)

    assert folder.version.read_text() == f"{VERSION}\n"
    assert owned_by(folder) == Owned(str(library), "first", {"first": str(library)})


def test_ids_that_a_folder_has_already_stay(folder: DataFolder, tmp_path: Path) -> None:
    library = tmp_path / "library"
    keep_identity(library, identity_of(library, folder, rebuild=False), folder)
    before = owned_by(folder)

    bring_forward(folder)

    assert owned_by(folder) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [("99\n", r"newer lookalike \(version 99, this one knows 1\): install that one"), ("what\n", "no version")],
)
def test_what_this_program_does_not_know_is_refused(text: str, words: str, folder: DataFolder) -> None:
    folder.version.write_text(text)

    with pytest.raises(Misconfigured, match=words):
        bring_forward(folder)
    assert folder.version.read_text() == text
