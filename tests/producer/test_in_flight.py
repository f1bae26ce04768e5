"""What is on its way is remembered for as long as it may be on its way."""

from lookalike.library.folder import FileVersion
from producer.in_flight import InFlight

ONE, TWO = FileVersion(1, 1), FileVersion(2, 2)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_version_that_was_sent_is_on_its_way_and_no_other() -> None:
    in_flight = InFlight(Clock())
    in_flight.sent("a", ONE)

    assert in_flight.holds("a", ONE)
    assert not in_flight.holds("a", TWO)
    assert not in_flight.holds("b", ONE)


def test_when_the_queues_were_empty_what_was_sent_before_has_arrived() -> None:
    clock = Clock()
    in_flight = InFlight(clock)
    in_flight.sent("a", ONE)
    in_flight.sent("b", ONE)
    clock.now_s = 1.0
    in_flight.sent("c", ONE)
    in_flight.sent("a", TWO)

    in_flight.drained(0.5)

    assert [in_flight.holds("a", TWO), in_flight.holds("b", ONE), in_flight.holds("c", ONE)] == [True, False, True]


def test_a_message_that_never_arrives_does_not_keep_its_file_out_for_ever() -> None:
    clock = Clock()
    in_flight = InFlight(clock, longest_s=10.0)
    in_flight.sent("a", ONE)

    clock.now_s = 10.0

    assert not in_flight.holds("a", ONE)


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    in_flight = InFlight(Clock(), most_paths=2)
    for path in "abc":
        in_flight.sent(path, ONE)

    assert (len(in_flight), in_flight.holds("a", ONE), in_flight.holds("c", ONE)) == (2, False, True)


def test_a_broker_that_was_away_may_have_lost_everything() -> None:
    in_flight = InFlight(Clock())
    in_flight.sent("a", ONE)

    in_flight.forget()

    assert not in_flight.holds("a", ONE)
