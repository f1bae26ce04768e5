"""What is typed becomes examples and conditions, or one sentence."""

from typing import Any

import pytest

from lookalike import Example, Refused
from lookalike.cli.commands.standing import Command
from lookalike.cli.options.query import examples_of, filter_of
from lookalike.search.filters import SearchFilter


def test_examples_have_their_weights_and_the_first_its_box() -> None:
    found = examples_of("a.jpg", "0.2,0.1,0.6,.9", ["b.jpg", "0.5:c:d.jpg"], ["e.jpg", "2:f.jpg", "x:g.jpg"])

    assert found == [
        Example("a.jpg", 1.0, [0.2, 0.1, 0.6, 0.9]),
        Example("b.jpg", 1.0),
        Example("c:d.jpg", 0.5),
        Example("e.jpg", -1.0),
        Example("f.jpg", -2.0),
        Example("x:g.jpg", -1.0),
    ]
    assert examples_of("1:a.jpg", None, None, None) == [Example("1:a.jpg")]


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("10,20,300,400", {"box_px": [10, 20, 300, 400]}),
        (" 0, 0, 1, 1 ", {"box": [0.0, 0.0, 1.0, 1.0]}),
        ("0,0,1.0,0.5", {"box": [0.0, 0.0, 1.0, 0.5]}),
        ("0,0,2.0,1", {"box": [0.0, 0.0, 2.0, 1.0]}),
    ],
)
def test_a_box_is_in_pixels_or_in_fractions(text: str, box: dict[str, Any]) -> None:
    assert examples_of("a.jpg", text, None, None) == [Example("a.jpg", **box)]


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0,0,1,", "-1,0,1,1", "nan,0,1,1", "0;0;1;1"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"such as 0.2,0.1,0.6,0.9"):
        examples_of("a.jpg", text, None, None)


def test_short_options_are_conditions_like_the_others() -> None:
    conditions = filter_of("my trips", "2024-05", "2025", ["format=jpeg width_px>=10", "path='**/IMG *.jpg'"])

    assert SearchFilter.model_validate(conditions) == SearchFilter.model_validate(
        {
            "folder": "my trips",
            "taken_at": {"gte": "2024-05", "lte": "2025"},
            "format": "JPEG",
            "width_px": {"gte": 10},
            "path": "**/IMG *.jpg",
        }
    )
    assert filter_of(None, None, None, None) is None
    assert filter_of(None, None, None, [""]) is None


def test_a_quote_that_does_not_end_is_told() -> None:
    with pytest.raises(Refused, match="--where"):
        filter_of(None, None, None, ["path='a"])
    with pytest.raises(Refused, match="--exec"):
        Command.parsed("cp 'a")


def test_a_command_has_a_place_for_the_path_and_a_program() -> None:
    assert Command.parsed("cp {} picks").words == ["cp", "{}", "picks"]
    assert Command.parsed("ls -l").words == ["ls", "-l", "{}"]
    for nothing in ("", "no-such-program {}"):
        with pytest.raises(Refused, match="there is no program"):
            Command.parsed(nothing)
