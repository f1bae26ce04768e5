"""Which files of a library belong into the index."""

import pytest

from lookalike.errors import Misconfigured
from lookalike.library.rules import Candidates

RULE = Candidates(("jpg", "PNG"), ignore=("raw/*", "*.draft.jpg", "old"))


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


@pytest.mark.parametrize(
    ("pattern", "out", "kept"),
    [
        ("**/Trash/**", ["Trash/a.jpg", "b/Trash/c/a.jpg"], ["b/a.jpg", "Trash.jpg"]),
        ("Trash/", ["Trash/a.jpg", "b/Trash/c/a.jpg"], ["Trash.jpg", "b/Trash.jpg"]),
        ("/Trash", ["Trash/a.jpg"], ["b/Trash/a.jpg"]),
        ("*.JPG", ["A.JPG", "b/A.JPG"], ["a.jpg"]),
        ("raw/", ["raw/a.jpg", "b/raw/a.jpg"], ["rawest/a.jpg"]),
        ("a?[0-9].jpg", ["ab1.jpg", "c/ab2.jpg"], ["abc.jpg", "a/1.jpg"]),
        ("a b.jpg", ["a b.jpg"], ["ab.jpg"]),
    ],
)
def test_a_pattern_means_what_it_means_to_git(pattern: str, out: list[str], kept: list[str]) -> None:
    rules = Candidates(("jpg",), ignore=(pattern,))

    assert [path for path in out + kept if rules.is_candidate(path)] == kept
    assert all((rules.why_left_out(path) or "").endswith(f": {pattern}") for path in out)


def test_the_last_pattern_that_matches_decides_and_takes_back_a_default_too() -> None:
    rules = Candidates(("jpg",), ignore=("*.draft.jpg", "!keep.draft.jpg"), lines=("# a comment", "", "!@eaDir", "out"))

    assert rules.is_candidate("b/keep.draft.jpg")
    assert rules.is_candidate("b/@eaDir/a.jpg")
    assert not rules.is_candidate("b/c.draft.jpg")
    assert rules.why_left_out("out/a.jpg") == ".lookalikeignore:4: out"


def test_what_lies_in_a_folder_that_is_left_out_cannot_be_taken_back() -> None:
    assert not Candidates(("jpg",), ignore=("out/", "!out/keep.jpg")).is_candidate("out/keep.jpg")


@pytest.mark.parametrize(
    "path",
    [
        *("@Recycle/a.jpg", "x/@Recently-Snapshot/y/a.jpg", "System Volume Information/a.jpg", "FOUND.000/a.jpg"),
        *("Bilder.photoslibrary/resources/derivatives/a.jpg", "cat Previews.lrdata/0/a.jpg", "x/#recycle/a.jpg"),
        *("appdata_oc1/preview/1/a.jpg", "upload/thumbs/0b7e5c1e-8c8f-4e0f-9d5e-0123456789ab/a.jpg", ".dtrash/a.jpg"),
        "photoprism/storage/cache/thumbnails/a.jpg",
    ],
)
def test_what_programs_keep_between_photos_is_left_out_unless_the_list_is_emptied(path: str) -> None:
    assert (Candidates(("jpg",)).why_left_out(path) or "").startswith("LOOKALIKE_IGNORE_DEFAULTS: ")
    assert Candidates(("jpg",), defaults=()).is_candidate(path)


@pytest.mark.parametrize("path", ["Bilder.photoslibrary/originals/0/a.jpg", "thumbs/a.jpg", "x/cache/a.jpg"])
def test_photos_beside_it_are_not(path: str) -> None:
    assert Candidates(("jpg",)).is_candidate(path)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"extensions": ("jpg png",)}, "write jpg,png"),
        ({"extensions": ("*.jpg",)}, "write jpg"),
        ({"extensions": ("jpg;png",)}, "write jpg,png"),
        ({"extensions": ()}, "write some, as in jpg,png"),
        ({"ignore": ("./Trash",)}, "write '/Trash'"),
        ({"ignore": ("Trash\\old",)}, "write 'Trash/old'"),
        ({"ignore": ("!",)}, "can match nothing"),
        ({"ignore": ("/",)}, "can match nothing"),
        ({"ignore": ("../x",)}, "can match nothing"),
        ({"ignore": ("*",)}, "leaves out every file"),
        ({"lines": ("ok", "a/../b")}, ".lookalikeignore:2: 'a/../b' can match nothing"),
    ],
)
def test_what_can_match_nothing_or_leaves_nothing_is_refused_with_the_right_form(
    wrong: dict[str, tuple[str, ...]], right: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        Candidates(**{"extensions": ("jpg",), **wrong})

    assert right in str(refused.value)


def test_the_rules_are_the_same_in_another_process() -> None:
    other = Candidates.from_json(RULE.to_json())

    assert (other, other.digest) == (RULE, RULE.digest)
    assert Candidates(("jpg",)).digest != RULE.digest
