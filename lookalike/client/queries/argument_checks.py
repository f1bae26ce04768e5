"""Checks of a caller's arguments: an invalid one is refused in one sentence before anything is sent."""

import math
import operator
import os
from pathlib import Path

from lookalike.errors import Refused

# Three years: longer than any wait, and far below where the arithmetic of dates overflows.
MAX_WAIT_S = 1e8


def limit_given(value: object, most: int) -> int:
    """A number of neighbours, also a NumPy integer. Raises Refused."""
    limit = _whole_number(value)
    if limit is None:
        raise Refused(f"The limit is {value!r} and must be a whole number from 1 to {most}.")
    if not 1 <= limit <= most:
        raise Refused(f"The limit is {limit} and must be 1 to {most} (LOOKALIKE_MAX_LIMIT).")
    return limit


def offset_given(value: object, most: int) -> int:
    """A number of neighbours to leave out, also a NumPy integer. Raises Refused."""
    offset = _whole_number(value)
    if offset is None or not 0 <= offset <= most:
        raise Refused(
            f"The offset is {value!r} and must be a whole number from 0 to {most}: a filter or a score_threshold "
            "leads further than more pages."
        )
    return offset


def seconds_given(value: object) -> float:
    """Seconds to wait. Raises Refused."""
    try:
        seconds = math.nan if isinstance(value, bool | str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= MAX_WAIT_S:
        raise Refused(f"The timeout is {value!r} and must be a number of seconds from 0 to {MAX_WAIT_S:.0e}.")
    return seconds


def pause_given(value: object) -> float | None:
    """Seconds to pause, None for no end. Raises Refused."""
    if value is None:
        return None
    seconds = seconds_given(value)
    if seconds < 1:
        raise Refused(f"The pause is {value!r} and must be at least a second; without a number it has no end.")
    return seconds


def path_given(value: object) -> Path:
    """A path as text. Raises Refused."""
    try:
        return Path(value)  # type: ignore[arg-type]
    except TypeError:
        raise Refused(f"A path must be text or a pathlib.Path, and this is of type {type(value).__name__}.") from None


def why_no_file(path: Path) -> str | None:
    """Why something at this path is no file to read; None if it is a file, or nothing is there.

    Opening a pipe would block until another process writes to it.
    """
    try:
        os.stat(path)  # noqa: PTH116 (a name that is not valid raises ValueError either way)
    except PermissionError:
        return "there is no permission to look at it"
    except (OSError, ValueError):
        return None
    if path.is_file():
        return None
    return "it is a folder" if path.is_dir() else "it is no regular file but a device, a pipe or a socket"


def _whole_number(value: object) -> int | None:
    try:
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
