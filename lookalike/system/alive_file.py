"""The file by which a health check that costs next to nothing tells how a part is (deploy/healthy.sh).

Written every few seconds: empty while the part is ready for work, with one sentence while it is not. An old file means
that the part is dead or hung, which is all that a restart can mend.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

WRITE_EVERY_S = 5.0
# As in deploy/healthy.sh.
OLD_AFTER_S = 30.0
SILENT = "no sign of life for half a minute"
STARTING = "it is starting, and waits for broker and store"
BROKER_AWAY = "The broker does not answer: check REDIS_URL, and whether it runs."


class PartHealth(NamedTuple):
    """Whether a part lives; and why it is not ready, a sentence, empty if it is."""

    lives: bool
    trouble: str


class AliveFile:
    """Written by a thread of its own after each beat of the part's main loop.

    The thread lists the library, which may take for ever where a network share hangs: the main loop must not wait for
    it, and the file gets old as it should.
    """

    def __init__(self, file: Path, library: Path | None = None) -> None:
        self._file = file
        self._library = library
        self._beaten, self._changed = threading.Event(), threading.Event()
        self._trouble = ""

    def beat(self, trouble: str = "") -> None:
        """To be called by the main loop, as often as it likes; `trouble` is what keeps it from its work."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._changed.set()
        self._beaten.set()

    def start(self) -> None:
        """Starts the thread, which ends with the process."""
        threading.Thread(target=self._run, name="alive-file", daemon=True).start()

    def write(self) -> None:
        """Writes how the part is."""
        library = "" if self._library is None else library_trouble(self._library)
        self._file.write_text(" ".join(filter(None, (self._trouble, library))))
        # An empty file that is written empty again need not become newer.
        os.utime(self._file)

    def _run(self) -> None:
        while True:
            self._beaten.wait()
            self._beaten.clear()
            # A full disk: the file gets old.
            with suppress(OSError):
                self.write()
            self._changed.wait(WRITE_EVERY_S)
            self._changed.clear()


@contextmanager
def alive_while_starting(file: Path | None) -> Iterator[None]:
    """Writes the file while the block runs, which may wait for a store that reads a large index; nothing without one.

    The thread has ended afterwards: a process with a thread must not be forked.
    """
    if file is None:
        yield
        return
    alive, is_over = AliveFile(file), threading.Event()
    alive.beat(STARTING)

    def write() -> None:
        while True:
            with suppress(OSError):
                alive.write()
            if is_over.wait(WRITE_EVERY_S):
                return

    thread = threading.Thread(target=write, name="alive-file", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def read_health(file: Path, now_unix_s: float) -> PartHealth:
    """What the file says of its part."""
    try:
        text, age_s = file.read_text("utf-8", "replace"), now_unix_s - file.stat().st_mtime
    except OSError:
        return PartHealth(lives=False, trouble=SILENT)
    return PartHealth(True, text) if age_s <= OLD_AFTER_S else PartHealth(False, SILENT)


def library_trouble(library: Path) -> str:
    """One sentence if this process cannot list the folder and reach what is in it; else empty."""
    try:
        with os.scandir(library) as entries:
            next(entries, None)
    except OSError as error:
        reason = error.strerror
    else:
        # The right to list alone does not open any file.
        if os.access(library, os.X_OK):
            return ""
        reason = os.strerror(errno.EACCES)
    return (
        f"The library {library} cannot be read ({reason}): let user {os.getuid()} read it, or run this part as its "
        "owner (LOOKALIKE_UID and LOOKALIKE_GID in .env)."
    )
