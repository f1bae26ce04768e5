"""Ends threads that wait: every wait of theirs goes through here."""

import threading


class Stopped(Exception):
    """The producer is ending; nothing is wrong."""


def sleep(stop: threading.Event, seconds: float) -> None:
    """Waits; raises Stopped as soon as the producer ends."""
    if stop.wait(seconds):
        raise Stopped


def check(stop: threading.Event) -> None:
    """Raises Stopped if the producer ends."""
    if stop.is_set():
        raise Stopped
