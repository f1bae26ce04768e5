"""The live line: what it says, and when it is said again."""

import io
import threading

import pytest
from rich.console import Console

from lookalike.errors import TimedOut
from lookalike.local.console import LiveConsole, RestartCounter, format_duration, live_line, next_pause_s, polled
from tests.support.status import a_status
from tests.support.waiting import wait_until

FLOWER = "http://127.0.0.1:5555"


def test_the_line_has_counts_rate_eta_and_flower() -> None:
    assert live_line(a_status(), FLOWER, []) == (
        "discovered 713 · indexed 640 · rejected 0 · 85/s · ETA 1 s · Flower http://127.0.0.1:5555"
    )


def test_with_nothing_left_there_is_no_rate_to_watch() -> None:
    done = a_status(indexed=713, eta_s=0.0)

    assert live_line(done, FLOWER, []) == f"discovered 713 · indexed 713 · rejected 0 · Flower {FLOWER}"


def test_before_the_first_answer_it_says_that_things_start() -> None:
    assert live_line(None, FLOWER, []) == f"starting · Flower {FLOWER}"
    assert live_line(a_status(indexed=None), FLOWER, []) == f"starting · Flower {FLOWER}"


def test_a_warning_is_shown() -> None:
    offline = a_status(warning="The library is missing; nothing is removed.")

    assert live_line(offline, FLOWER, []).endswith("The library is missing; nothing is removed.")


def test_a_part_in_trouble_is_named_with_the_way_to_its_log() -> None:
    assert live_line(a_status(), FLOWER, ["ingest"]).endswith("ingest keeps dying: lookalike logs ingest")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "unknown"),
        (0.0, "0 s"),
        (0.2, "1 s"),
        (59.6, "60 s"),
        (150, "2 min"),
        (3700, "1 h 2 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_durations_are_said_in_the_unit_that_fits(seconds: float | None, said: str) -> None:
    assert format_duration(seconds) == said


def test_a_part_keeps_dying_when_it_was_started_three_times_within_a_minute() -> None:
    starts = RestartCounter()
    for at in (100, 100, 110):
        starts.record_start("ingest", at)
    assert starts.keep_dying(now=125) == []

    starts.record_start("ingest", 130)

    assert starts.keep_dying(now=135) == ["ingest"]
    assert starts.keep_dying(now=161) == []


def test_a_part_that_was_not_started_yet_is_not_dying() -> None:
    starts = RestartCounter()
    for _ in range(5):
        starts.record_start("ingest", 0)

    assert starts.keep_dying(now=1) == []


def test_without_a_terminal_a_line_is_added_when_it_is_new_and_not_too_often() -> None:
    out = io.StringIO()
    now = [100.0]
    with LiveConsole(Console(file=out, width=40), lambda: now[0]) as screen:
        for at, line in ((100, "one"), (101, "one"), (102, "two"), (104, "three"), (105, "three"), (111, "three")):
            now[0] = at
            screen.show(line)

    assert out.getvalue() == "one\nthree\n"


def test_long_paths_are_not_broken_and_square_brackets_are_only_brackets() -> None:
    out = io.StringIO()
    with LiveConsole(Console(file=out, width=20)) as screen:
        screen.say("Library  /photos/[bold]/with/a/long/name")

    assert out.getvalue() == "Library  /photos/[bold]/with/a/long/name\n"


def test_on_a_terminal_the_line_is_redrawn_and_no_color_is_honoured() -> None:
    out = io.StringIO()
    with LiveConsole(Console(file=out, force_terminal=True, no_color=True, width=80)) as screen:
        screen.show("one")
        screen.show("two")

    assert "one" in out.getvalue()
    assert "two" in out.getvalue()
    assert "\x1b[2K" in out.getvalue()


def test_pauses_grow_while_nothing_changes_and_are_short_again_after_a_change() -> None:
    pauses = [1.0]
    for changed in (False, False, False, False, False, True):
        pauses.append(next_pause_s(pauses[-1], changed))

    assert pauses == [1, 2, 4, 8, 10, 10, 1]


def test_an_answer_that_cannot_be_had_leaves_the_last_one_in_place() -> None:
    answers = iter([1])
    refused = threading.Event()

    def ask() -> int:
        for answer in answers:
            return answer
        refused.set()
        raise TimedOut("not now")

    with polled(ask) as latest:
        wait_until(refused.is_set, 10)
        assert latest.answer == 1


def test_a_question_that_is_never_answered_holds_up_nothing() -> None:
    never = threading.Event()

    with polled(never.wait) as latest:
        assert latest.answer is None
    never.set()
