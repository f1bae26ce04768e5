"""The log of every part: one line per event, `time level part: event key=value ...`, or one JSON object per event.

Parts log through structlog into the standard library's logging, where what libraries log takes the same form. Not
imported by the client: what a program logs is its own affair, and structlog loads rich.
"""

import logging
import sys

import structlog
from structlog.processors import JSONRenderer, LogfmtRenderer, TimeStamper, format_exc_info
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from lookalike.settings import LogFormat
from lookalike.terminal import escaped

# The order of keys is that of the line in text form.
BOTH_KINDS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    TimeStamper(fmt="iso", utc=True),
]
HEAD = "{} {} {}: {}"
PAIRS = LogfmtRenderer()

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *BOTH_KINDS,
        structlog.stdlib.PositionalArgumentsFormatter(),
        ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=BoundLogger,
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> BoundLogger:
    """The logger of a module; `log.info("embedded", images=32)` logs an event with its values."""
    return structlog.stdlib.get_logger(name)


def log_to_stderr(level: int | str = logging.INFO, *, log_format: LogFormat = "text") -> None:
    """Sets up the log of a program; `up` collects stderr into one file per part."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=level, handlers=[handler])
    # It logs each of its requests: thousands of lines that repeat what the task logs.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def formatter(log_format: LogFormat) -> ProcessorFormatter:
    """Writes what parts and libraries log, in one form."""
    return ProcessorFormatter(
        foreign_pre_chain=BOTH_KINDS,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            format_exc_info,
            JSONRenderer() if log_format == "json" else one_line,
        ],
    )


def one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The event on one line, and each line of a traceback on its own, with terminal commands escaped."""
    head = HEAD.format(*(event.pop(name, "-") for name in ("timestamp", "level", "logger", "event")))
    trace = event.pop("exception", None)
    # As Python writes them: logfmt has true for True, and nothing for None.
    pairs = PAIRS(None, "", {name: str(value) for name, value in event.items()})
    line = f"{head} {pairs}".rstrip()
    return "\n".join(map(escaped, [line, *(trace.split("\n") if trace else [])]))
