"""Minds the library and its watcher once a second: a scan is due when either went or came."""

import threading
from collections.abc import Callable

from producer.library import EMPTY, Library
from producer.stopping import rest
from producer.watching import Watcher

LOOK_S = 1.0


def mind(library: Library, watcher: Watcher, request: Callable[[str], None], stop: threading.Event) -> None:
    """Runs until the producer ends. Raises Stopped."""
    before = library.absence()
    while True:
        rest(stop, LOOK_S)
        absence = library.absence()
        if absence != before:
            before = absence
            request(f"the library {absence}" if absence is not None else "the library is there")
        if absence in (None, EMPTY) and watcher.ensure():
            request(f"watching began anew by {watcher.watching}")
