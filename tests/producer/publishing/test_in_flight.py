"""What is on its way is remembered for as long as it may be on its way."""

from lookalike.library.version import folder_version
from producer.publishing.in_flight import InFlight

ONE, TWO = folder_version(1, 1), folder_version(2, 2)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_version_that_was_sent_is_on_its_way_and_no_other() -> None:
    in_flight = InFlight(Clock())
    in_flight.mark_sent("a", ONE)

    assert in_flight.contains("a", ONE)
    assert not in_flight.contains("a", TWO)
    assert not in_flight.contains("b", ONE)


def test_when_the_queues_were_empty_what_was_sent_before_has_arrived() -> None:
    clock = Clock()
    in_flight = InFlight(clock)
    in_flight.mark_sent("a", ONE)
    in_flight.mark_sent("b", ONE)
    clock.now_s = 1.0
    in_flight.mark_sent("c", ONE)
    in_flight.mark_sent("a", TWO)

    in_flight.forget_sent_before(0.5)

    held = [in_flight.contains("a", TWO), in_flight.contains("b", ONE), in_flight.contains("c", ONE)]
    assert held == [True, False, True]


def test_a_message_that_never_arrives_does_not_keep_its_file_out_for_ever() -> None:
    clock = Clock()
    in_flight = InFlight(clock, longest_s=10.0)
    in_flight.mark_sent("a", ONE)

    clock.now_s = 10.0

    assert not in_flight.contains("a", ONE)


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    in_flight = InFlight(Clock(), max_paths=2)
    for path in "abc":
        in_flight.mark_sent(path, ONE)

    assert (len(in_flight), in_flight.contains("a", ONE), in_flight.contains("c", ONE)) == (2, False, True)


def test_a_broker_that_was_unavailable_may_have_lost_everything() -> None:
    in_flight = InFlight(Clock())
    in_flight.mark_sent("a", ONE)

    in_flight.forget_all()

    assert not in_flight.contains("a", ONE)
