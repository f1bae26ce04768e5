"""Asking again and again, and less often while nothing changes."""

import threading

from lookalike.errors import TimedOut
from lookalike.local.status_poller import next_pause_s, polled
from tests.local.conftest import wait_until


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
