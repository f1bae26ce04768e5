"""The log format of every part: one line per event, `time level part: event key=value ...`."""

import logging
import sys
from typing import Any

from lookalike.terminal import escaped

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sets up the log of a program; `up` collects stderr into one file per part."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
    quiet_libraries()


class OneLine(logging.Formatter):
    """Keeps a message on one line and escapes terminal commands in it; in a traceback, in each of its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the standard library's name)
        """The line of an event."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the standard library's name)
        """The traceback."""
        return "\n".join(map(escaped, super().formatException(ei).split("\n")))


def quiet_libraries() -> None:
    """Silences libraries that log each of their requests: thousands of lines that repeat what the task logs."""
    logging.getLogger("httpx").setLevel(logging.WARNING)


def fields(event: str, **values: object) -> str:
    """Writes ("embedded", batch=32) as `embedded batch=32`; strings with blanks or control characters are quoted."""
    return " ".join([event, *(f"{name}={_value(value)}" for name, value in values.items())])


def _value(value: object) -> str:
    """The value on one line: the name of a file may have a line feed in it."""
    text = str(value)
    if isinstance(value, str) and (" " in value or not value):
        return repr(value)
    return text if text.isprintable() else repr(text)
