"""When a file is at rest, by a clock that the test holds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.library.version import FileVersion, folder_version
from producer.debounce import Debouncer, Settled

SMALL, LARGE = folder_version(1, 1), folder_version(2, 2)
WAIT_S = 1.0


def test_a_file_that_stays_the_same_is_settled_after_the_wait() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0)

    assert debouncer.due(0.99) == []
    assert debouncer.due(1.0) == ["a"]
    assert debouncer.confirm("a", SMALL, 1.0) == Settled("a", SMALL, ())
    assert len(debouncer) == 0


def test_a_file_that_changed_waits_the_whole_time_again() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0)

    assert debouncer.due(1.0) == ["a"]
    assert debouncer.confirm("a", LARGE, 1.0) is None
    assert debouncer.due(1.99) == []
    assert debouncer.due(2.0) == ["a"]
    assert debouncer.confirm("a", LARGE, 2.0) == Settled("a", LARGE, ())


def test_an_event_without_a_change_does_not_restart_the_wait() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0)
    debouncer.observe("a", SMALL, 0.9)

    assert debouncer.due(1.0) == ["a"]


def test_an_event_with_a_change_does() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0)
    debouncer.observe("a", LARGE, 0.9)

    assert debouncer.due(1.0) == []
    assert debouncer.due(1.9) == ["a"]


def test_a_closed_file_waits_a_fifth() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0)
    debouncer.observe("a", LARGE, 0.5, closed=True)

    assert debouncer.due(0.69) == []
    assert debouncer.due(0.7) == ["a"]


def test_a_file_that_is_written_to_after_it_was_closed_waits_the_whole_time() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0, closed=True)

    assert debouncer.confirm("a", LARGE, 0.2) is None
    assert debouncer.due(1.19) == []
    assert debouncer.due(1.2) == ["a"]


def test_a_file_that_left_is_forgotten_and_leaves_its_old_names() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("b", SMALL, 0.0, gone=("a",))

    assert debouncer.discard("b") == ("a",)
    assert debouncer.discard("b") == ()
    assert debouncer.due(9.0) == []


def test_old_names_travel_along_once_and_never_name_the_file_itself() -> None:
    debouncer = Debouncer(WAIT_S)
    debouncer.observe("a", SMALL, 0.0, gone=("b",))
    debouncer.observe("a", SMALL, 0.1, gone=("b", "a", "c"))

    assert debouncer.confirm("a", SMALL, 1.0) == Settled("a", SMALL, ("b", "c"))


def test_a_file_that_was_never_observed_is_not_settled() -> None:
    assert Debouncer(WAIT_S).confirm("a", SMALL, 0.0) is None


def test_there_is_room_for_so_many_files_and_for_those_that_are_there_already() -> None:
    debouncer = Debouncer(WAIT_S, max_paths=1)

    assert debouncer.observe("a", SMALL, 0.0)
    assert not debouncer.observe("b", SMALL, 0.0)
    assert debouncer.observe("a", LARGE, 0.0)
    assert len(debouncer) == 1


def test_thousands_of_events_on_one_file_keep_one_entry_of_it() -> None:
    debouncer = Debouncer(WAIT_S)
    for at in range(10_000):
        debouncer.observe("a", folder_version(at, at), at / 10_000)

    assert len(debouncer._by_due) < 10  # noqa: SLF001 - memory is what this is about


steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(0.0, 1.5), st.booleans()), max_size=30)


@settings(deadline=None)  # other tests may keep the machine busy
@given(steps)
def test_whatever_happens_a_settled_file_was_the_same_for_its_wait(
    steps: list[tuple[str, int, float, bool]],
) -> None:
    debouncer, now_s = Debouncer(WAIT_S), 0.0
    disk: dict[str, FileVersion] = {}
    since_s: dict[str, float] = {}
    settled: set[str] = set()
    for name, size, pause_s, closed in steps:
        if disk.get(name) != folder_version(size, size):
            since_s[name] = now_s
        disk[name] = folder_version(size, size)
        debouncer.observe(name, disk[name], now_s, closed=closed)
        settled.discard(name)
        now_s += pause_s
        for path in debouncer.due(now_s):
            done = debouncer.confirm(path, disk[path], now_s)
            assert done is None or now_s - since_s[path] >= WAIT_S / 5 - 1e-9
            if done is not None:
                settled.add(path)

    # Left alone, every file comes to rest within two waits.
    for _ in range(2):
        now_s += WAIT_S + 0.001
        for path in debouncer.due(now_s):
            if debouncer.confirm(path, disk[path], now_s) is not None:
                settled.add(path)
    assert settled == set(disk)
    assert len(debouncer) == 0
