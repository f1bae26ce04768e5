from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from examples.samples import EACH, MOTIFS, SIZE_PX, draw_samples, main, picture


def test_an_empty_folder_is_filled_with_each_motif(tmp_path: Path) -> None:
    drawn = draw_samples(tmp_path / "photos")

    found = sorted((tmp_path / "photos").rglob("*.jpg"))
    assert drawn == len(found) == EACH * len(MOTIFS)
    assert Counter(path.parent.name for path in found) == dict.fromkeys(MOTIFS, EACH)
    with Image.open(found[0]) as image:
        assert image.size == SIZE_PX


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.jpg").touch()

    exit_code = main([str(tmp_path)])

    assert exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jpg"]
    assert "left as it is" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    exit_code = main([str(tmp_path / "file")])

    assert exit_code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    for motif in MOTIFS.values():
        assert picture(motif, "a").tobytes() == picture(motif, "a").tobytes() != picture(motif, "b").tobytes()
