"""Verdicts are carried along as they are, each once."""

from pathlib import Path

import pytest

from lookalike.errors import Refused
from lookalike.system.data_folder import DataFolder
from lookalike.system.verdicts import add_verdicts, read_verdicts

ONE, OTHER = '{"pair": ["a", "ü"], "same": true}', '{"pair": ["b", "c"], "same": false}'


def test_each_is_added_once_whatever_its_blanks(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)

    assert add_verdicts(folder, [ONE]) == 1
    assert add_verdicts(folder, ['{"same":true,"pair":["a","ü"]}', OTHER]) == 1
    assert read_verdicts(folder) == [ONE, OTHER]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.verdicts.write_text(f'{ONE}\n{{"pair": ["a"', encoding="utf-8")

    assert read_verdicts(folder) == [ONE]


def test_without_a_data_folder_there_is_no_place_for_them() -> None:
    assert (read_verdicts(None), add_verdicts(None, [])) == ([], 0)
    with pytest.raises(Refused, match="name one with --data"):
        add_verdicts(None, [ONE])
