"""The file by which a health check that costs next to nothing tells whether a part is well (deploy/healthy.sh).

Written every few seconds: empty while the part is well, with one sentence while it is not. An old file means that the
part is dead or hung.
"""

import errno
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

WRITE_EVERY_S = 5.0


class AliveFile:
    """Written by a thread of its own after each beat of the part's main loop.

    The thread lists the library, which may take for ever where a network share hangs: the main loop must not wait for
    it, and the file gets old as it should.
    """

    def __init__(self, file: Path, library: Path | None = None) -> None:
        self._file = file
        self._library = library
        self._beaten = threading.Event()

    def beat(self) -> None:
        """To be called by the main loop, as often as it likes."""
        self._beaten.set()

    def start(self) -> None:
        """Starts the thread, which ends with the process."""
        threading.Thread(target=self._run, name="alive-file", daemon=True).start()

    def write(self) -> None:
        """Writes how the part is."""
        self._file.write_text("" if self._library is None else library_trouble(self._library))
        # An empty file that is written empty again need not become newer.
        os.utime(self._file)

    def _run(self) -> None:
        while True:
            self._beaten.wait()
            self._beaten.clear()
            # A full disk: the file gets old.
            with suppress(OSError):
                self.write()
            time.sleep(WRITE_EVERY_S)


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
