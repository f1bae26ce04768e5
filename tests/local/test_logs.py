"""`lookalike logs`: the end of each log, and what comes after it through rotation."""

from pathlib import Path

from lookalike.local import logs
from lookalike.local.logs import LAST_LINES, Tail
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder


def say_into(path: Path, *lines: str) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.writelines(f"{line}\n" for line in lines)


def test_one_part_is_shown_as_it_spoke_and_no_more_than_its_end(folder: DataFolder) -> None:
    say_into(folder.logs / "store.log", *(str(number) for number in range(LAST_LINES + 50)))
    said: list[str] = []

    logs(read_settings(data=folder.root), "store", say=said.append)

    assert said == [str(number) for number in range(50, LAST_LINES + 50)]


def test_all_parts_are_shown_with_their_names_before_the_lines(folder: DataFolder) -> None:
    say_into(folder.logs / "store.log", "ready")
    say_into(folder.logs / "producer.log", "watching")
    said: list[str] = []

    logs(read_settings(data=folder.root), say=said.append)

    assert said == ["store      | ready", "producer   | watching"]


def test_a_log_is_followed_through_rotation_with_nothing_lost_or_told_twice(tmp_path: Path) -> None:
    log = tmp_path / "store.log"
    say_into(log, "first")
    tail = Tail(log)
    assert tail.last(10) == ["first"]

    say_into(log, "before")
    log.rename(tmp_path / "store.log.1")
    say_into(log, "after")

    assert list(tail.read_new()) == ["before", "after"]
    say_into(log, "later")
    assert list(tail.read_new()) == ["later"]
    tail.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    log = tmp_path / "store.log"
    log.write_text("whole\nha", "utf-8")
    tail = Tail(log)
    assert list(tail.read_new()) == ["whole"]

    with log.open("a", encoding="utf-8") as more:
        more.write("lf\n")

    assert list(tail.read_new()) == ["half"]
    tail.close()


def test_a_log_that_does_not_exist_yet_is_followed_from_its_first_line(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "store.log")
    assert list(tail.read_new()) == []

    say_into(tmp_path / "store.log", "first")

    assert list(tail.read_new()) == ["first"]
    tail.close()
