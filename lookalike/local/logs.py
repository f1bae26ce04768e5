"""`lookalike logs`: prints the logs of the parts, and follows them through rotation."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from lookalike.errors import Misconfigured, NotRunning
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder
from lookalike.system.discovery import find_running
from lookalike.system.parts import PART_NAMES

LAST_LINES = 100
FOLLOW_EVERY_S = 0.25
# Logs of other programs: the check before the application starts, and supervisord.
ALSO = ("prepare", "supervisor")


def logs(
    settings: Settings, part: str | None = None, *, follow: bool = False, say: Callable[[str], object] = print
) -> None:
    """Prints the last lines of one part or all; with `follow`, new lines as well until Ctrl-C.

    Raises Misconfigured for a part that does not exist, NotRunning if there is no log.
    """
    names = (*PART_NAMES, *ALSO)
    if part is not None and part not in names:
        raise Misconfigured(f"There is no part {part!r}: choose one of {', '.join(names)}.")
    running = find_running(settings)
    folder = data_folder(settings) if running is None else DataFolder(running.data)
    tails = {name: Tail(folder.logs / f"{name}.log") for name in (names if part is None else (part,))}
    if not follow and not any(tail.path.exists() for tail in tails.values()):
        raise NotRunning(f"There are no logs in {folder.logs}: nothing ran yet. Start with `lookalike up FOLDER`.")
    width = max(len(name) for name in tails)

    def say_lines(name: str, lines: Iterable[str]) -> None:
        for line in lines:
            say(line if part is not None else f"{name:{width}} | {line}")

    try:
        for name, tail in tails.items():
            say_lines(name, tail.last(LAST_LINES))
        while follow:
            time.sleep(FOLLOW_EVERY_S)
            for name, tail in tails.items():
                say_lines(name, tail.read_new())
    except KeyboardInterrupt:
        return
    finally:
        for tail in tails.values():
            tail.close()


class Tail:
    """Reads a log that grows and is rotated by renaming; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: IO[str] | None = None
        self._begun = ""

    def last(self, count: int) -> list[str]:
        """The last lines."""
        return list(deque(self.read_new(), maxlen=count))

    def read_new(self) -> Iterator[str]:
        """The whole lines since the last call."""
        while True:
            if self._stream is None and not self._open():
                return
            yield from self._lines()
            if not self._was_rotated():
                return
            # Lines that were written between the last read and the renaming.
            yield from self._lines()
            self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> bool:
        try:
            self._stream = self.path.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return False
        return True

    def _lines(self) -> Iterator[str]:
        assert self._stream is not None  # noqa: S101 (for the type checker)
        for line in self._stream:
            self._begun += line
            if self._begun.endswith("\n"):
                whole, self._begun = self._begun[:-1], ""
                yield whole

    def _was_rotated(self) -> bool:
        assert self._stream is not None  # noqa: S101 (for the type checker)
        try:
            return os.stat(self.path).st_ino != os.fstat(self._stream.fileno()).st_ino  # noqa: PTH116
        except FileNotFoundError:
            # Between renaming and the new file: the old one stays open.
            return False
