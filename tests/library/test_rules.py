"""Which files of a library belong into the index."""

import pytest

from lookalike.library.rules import Candidates

RULE = Candidates(("jpg", ".PNG"), ignore=("raw/*", "*.draft.jpg", "old"))


@pytest.mark.parametrize("path", ["a.jpg", "A.JPG", "deep/er/b.Png", "two.dots.jpg", "deep/with space.jpg", "~x.jpg"])
def test_a_file_with_a_known_extension_is_a_candidate(path: str) -> None:
    assert RULE.is_candidate(path)


@pytest.mark.parametrize("path", ["a.txt", "jpg", "a", "a.", ".jpg", "a.jpg.", "a.jpg/b"])
def test_a_file_without_one_is_not(path: str) -> None:
    assert not RULE.is_candidate(path)


@pytest.mark.parametrize(
    "path",
    [".a.jpg", ".trash/a.jpg", "b/@eaDir/a.jpg", "b/@EADIR/a.jpg", "Thumbs.db", "a.jpg.part", "a.jpg~", "a.jpg.tmp"],
)
def test_what_is_hidden_partial_or_of_the_system_is_not(path: str) -> None:
    assert not RULE.is_candidate(path)


@pytest.mark.parametrize("path", ["raw/a.jpg", "raw/deep/a.jpg", "b/a.draft.jpg", "b/old/a.jpg", "old/a.jpg"])
def test_a_glob_matches_the_path_or_any_name_in_it(path: str) -> None:
    assert not RULE.is_candidate(path)


@pytest.mark.parametrize("folder", [".git", "a/.b", "old", "a/old", "lost+found"])
def test_folders_of_that_kind_are_not_entered(folder: str) -> None:
    assert not RULE.includes_folder(folder)
    assert RULE.includes_folder("a/b")


@pytest.mark.parametrize("path", ["a.jpg", "deep/b.png", "deep/.c.jpg", "raw/d.jpg", "deep/e.txt", "deep/f.draft.jpg"])
def test_a_walk_that_enters_folders_by_the_rule_needs_to_ask_about_names_only(path: str) -> None:
    folder, _, name = path.rpartition("/")

    assert RULE.is_candidate_in_folder(path, name) == RULE.is_candidate(path) or not RULE.includes_folder(folder)
