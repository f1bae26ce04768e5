"""Tells a service manager how `up` is: ready, alive, stopping. Says nothing where none asked for it.

The protocol of sd_notify(3): one datagram a message, to the socket that NOTIFY_SOCKET names.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

# The children must not speak for `up`.
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
STATUS_EVERY_S = 5.0


class ServiceManager:
    """The service manager that started this process, if one did.

    Its watchdog is fed by the loop that watches the parts. Neither a slow store nor a broker that is down holds that
    loop up, so they never have the service started again.
    """

    def __init__(self, environment: Mapping[str, str], now_s: Callable[[], float] = time.monotonic) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._every_s = _watchdog_s(environment) / 2
        self._now_s = now_s
        self._fed_at_s = self._told_at_s = float("-inf")
        self._told = ""

    def ready(self) -> None:
        """The parts that work are started; what is still to be indexed does not count."""
        self._send("READY=1")

    def feeding(self, wait: Callable[[float], bool]) -> Callable[[float], bool]:
        """The function that waits, which feeds the watchdog before it does."""

        def waited(for_s: float) -> bool:
            self._feed()
            return wait(for_s)

        return waited

    def status(self, line: str) -> None:
        """What `systemctl status` shows; the same line again costs nothing."""
        now_s = self._now_s()
        if line != self._told and now_s - self._told_at_s >= STATUS_EVERY_S:
            self._told, self._told_at_s = line, now_s
            self._send(f"STATUS={' '.join(line.split())}")

    def stopping(self) -> None:
        """The parts are being stopped."""
        self._send("STOPPING=1")

    def _feed(self) -> None:
        now_s = self._now_s()
        if self._every_s and now_s - self._fed_at_s >= self._every_s:
            self._fed_at_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # An address that begins with @ has no place in the file system.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # Without a listener the service manager is gone, and nothing can be told to it.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.send(message.encode("utf-8", "replace"))


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Seconds within which the watchdog wants to be fed; 0 for none, or for one of another process."""
    wanted, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    return int(wanted) / 1e6 if wanted.isdecimal() and pid in ("", str(os.getpid())) else 0.0
