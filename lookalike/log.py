"""How every part writes its log: one line per event, `time level part: event key=value ...`."""

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sets up the log of a program; `up` collects stderr into one file per part."""
    logging.basicConfig(stream=sys.stderr, level=level, format=FORMAT)
    keep_to_the_point()


def keep_to_the_point() -> None:
    """Silences libraries that log each of their requests: thousands of lines that say what the task says."""
    logging.getLogger("httpx").setLevel(logging.WARNING)


def fields(event: str, **values: object) -> str:
    """Writes ("embedded", batch=32) as `embedded batch=32`; strings with blanks are quoted."""
    said = (
        f"{name}={value!r}" if isinstance(value, str) and (" " in value or not value) else f"{name}={value}"
        for name, value in values.items()
    )
    return " ".join([event, *said])
