"""Minds the library and its watcher once a second: a scan is due when either went or came, or a disk came inside."""

import threading
from collections.abc import Callable

from producer.library import EMPTY, Library
from producer.mounts import mounted_below
from producer.shutdown import sleep
from producer.watcher import Watcher

LOOK_S = 1.0


def supervise(library: Library, watcher: Watcher, request: Callable[[str], None], stop: threading.Event) -> None:
    """Runs until the producer ends. Raises Stopped."""
    before, mounted_before = library.absence(), mounted_below(library.root)
    while True:
        sleep(stop, LOOK_S)
        mounted = mounted_below(library.root)
        if mounted - mounted_before:
            request("a disk was mounted in the library")
        # What a disk takes away with it can wait: it may be back before the next scan.
        mounted_before = mounted
        absence = library.absence()
        if absence != before:
            before = absence
            request(f"the library {absence}" if absence is not None else "the library is there")
        if absence in (None, EMPTY) and watcher.ensure():
            request(f"watching began anew by {watcher.watching}")
