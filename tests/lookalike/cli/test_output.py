"""No screen lets a name through that is a command to a terminal; each of them is asked."""

import io
import logging
from collections.abc import Callable

import pytest
from rich.console import Console

from lookalike.cli import output
from lookalike.doctor import CheckResult
from lookalike.local.console import LiveConsole
from lookalike.search.neighbour import Neighbour
from lookalike.verify import Comparison
from tests.support.status import a_status

NAME = "[red]a\n\r\t\x1b]0;owned\x07\x9b31m\x7f\u202e\u2066\u200b\u2028 :cat: \\.png"
SAID = r"[red]a\x0a\x0d\x09\x1b]0;owned\x07\u009b31m\x7f\u202e\u2066\u200b\u2028 :cat: \.png"


def a_comparison() -> Comparison:
    found = Comparison()
    for files in (found.lost, found.ghosts, found.stale, found.wrong):
        files.add(NAME)
    return found


@pytest.mark.parametrize(
    "shown",
    [
        lambda: output.say_error(NAME),
        lambda: output.say(NAME),
        lambda: output.show_files([("indexed", NAME), (NAME, "a reason")]),
        lambda: output.show_neighbours([Neighbour(NAME, 1.0, 1.0, {})]),
        lambda: output.show_status(a_status(state=NAME, warning=NAME, model=NAME, library=NAME)),
        lambda: output.show_check_result(CheckResult("store", "broken", NAME, NAME)),
        lambda: output.show_comparison(a_comparison(), is_deep=True),
    ],
)
def test_names_are_escaped(
    shown: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    caplog.set_level(logging.INFO, "lookalike")

    shown()

    said = "".join(capsys.readouterr())
    assert SAID in said
    assert said.replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_live_line_is_escaped_too(is_terminal: bool) -> None:  # noqa: FBT001
    out = io.StringIO()
    with LiveConsole(Console(file=out, force_terminal=is_terminal, width=1000, color_system=None)) as screen:
        screen.say(NAME)
        screen.show(NAME)

    assert out.getvalue().count(SAID) >= 2
    assert not [command for command in ("\x07", "\x9b", "\u202e", "\x1b]") if command in out.getvalue()]
