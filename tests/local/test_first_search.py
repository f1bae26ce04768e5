"""What `up` suggests to type can be typed."""

import shlex
from pathlib import Path

from lookalike.library.opening import candidates_of
from lookalike.local.first_search import first_search, program
from lookalike.settings import read_settings


def executable(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_program_is_named_by_its_path_unless_that_is_where_path_leads(tmp_path: Path) -> None:
    here, other = executable(tmp_path / "a b/lookalike"), executable(tmp_path / "other/lookalike")

    assert program(str(here), path=str(here.parent)) == "lookalike"
    assert program(str(here), path=str(other.parent)) == f"'{here}'"
    assert program(str(here), path=str(tmp_path)) == f"'{here}'"
    # Not started by its name: `python -c`.
    assert program("-c", path=str(tmp_path)) == "lookalike"


def test_the_search_names_an_image_of_the_library_that_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "deep er").mkdir()
    for name in ("a.txt", "b\n.png", ".c.png", "deep er/d's.png"):
        (tmp_path / name).touch()

    words = shlex.split(first_search(tmp_path, candidates_of(read_settings(), tmp_path)))

    assert words[1:] == ["search", str(tmp_path / "deep er/d's.png")]


def test_without_an_image_the_search_has_a_place_for_one(tmp_path: Path) -> None:
    assert first_search(tmp_path, candidates_of(read_settings(), tmp_path)).endswith(" search IMAGE")
