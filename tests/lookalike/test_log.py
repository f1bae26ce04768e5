"""lookalike/log.py: one form for what parts and libraries log, text or JSON, and one line an event."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.contextvars import bound_contextvars

from lookalike.log import formatter, get_logger
from lookalike.settings import LogFormat

log = get_logger("lookalike.test")


@contextmanager
def logged(log_format: LogFormat) -> Iterator[list[str]]:
    """The lines that the block logs."""
    stream, lines = io.StringIO(), list[str]()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(log_format))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        lines += stream.getvalue().splitlines()


def test_an_event_is_a_line_that_people_read() -> None:
    with logged("text") as lines, bound_contextvars(task="1-2"):
        log.info("embedded", images=32, done=True)

    (line,) = lines
    assert line.endswith(" info lookalike.test: embedded images=32 done=True task=1-2")


def test_an_event_is_an_object_that_programs_read() -> None:
    with logged("json") as lines, bound_contextvars(task="1-2", path="ü\n.jpg"):
        log.warning("refused", images=32)
        logging.getLogger("a.library").warning("odd %s", "tag")

    ours, library = map(json.loads, lines)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "refused",
        "level": "warning",
        "logger": "lookalike.test",
        "task": "1-2",
        "path": "ü\n.jpg",
        "images": 32,
    }
    assert (library["event"], library["logger"], library["path"]) == ("odd tag", "a.library", "ü\n.jpg")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_name_of_a_file_forges_a_line_or_sends_a_command_to_a_terminal(log_format: LogFormat) -> None:
    with logged(log_format) as lines:
        log.info("seen", path="a\n2026 error b\x1b[m", error=OSError("c\nd"), empty="")
        logging.getLogger("a.library").warning("e\x1b[m\nf")

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(("log_format", "at_least"), [("text", 3), ("json", 1)])
def test_a_traceback_is_kept_and_holds_no_command_either(log_format: LogFormat, at_least: int) -> None:
    with logged(log_format) as lines:
        try:
            Path("c\x1b[m").relative_to("a")
        except ValueError:
            log.exception("failed")

    assert len(lines) >= at_least
    assert "ValueError" in lines[-1]
    assert all(line.isprintable() for line in lines)


def test_what_is_below_the_level_is_not_logged() -> None:
    with logged("text") as lines:
        log.debug("seen")

    assert lines == []
