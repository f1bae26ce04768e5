"""What the scans found out, as the report shows it."""

from producer.scanning.library_state import COMPARING, COUNTING, OFFLINE, STARTING, WATCHING, LibraryState


def phase(state: LibraryState) -> str:
    return state.phase(is_requested=False)


def test_the_phases_of_a_scan_and_of_one_that_finds_no_library() -> None:
    state = LibraryState(unix_s=lambda: 7.0)
    seen = [phase(state)]
    for entered in (COUNTING, COMPARING):
        state.enter(entered)
        seen.append(phase(state))
    assert not state.scan_ended("look")
    seen.append(phase(state))

    assert seen == [STARTING, COUNTING, COMPARING, WATCHING]
    assert (state.warning, state.ended_at_unix_s) == ("look", 7.0)
    assert state.phase(is_requested=True) == COUNTING

    assert [state.go_offline("is missing"), state.go_offline("is missing")] == [True, False]
    state.enter(COUNTING)
    assert (phase(state), state.offline) == (OFFLINE, "is missing")
    assert state.scan_ended("")
    assert (phase(state), state.offline) == (WATCHING, "")


def test_an_id_that_was_given_is_kept_and_else_the_index_tells_it() -> None:
    told, given = LibraryState(), LibraryState("mine")
    for state in (told, given):
        state.answered("of the index")

    assert (told.library_id, given.library_id) == ("of the index", "mine")
