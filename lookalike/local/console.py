"""What `up` shows while it runs: a few lines to begin with, then one live line. Independent of processes.

A thread polls the status, so that a slow answer delays neither the screen nor a signal.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Self, TypeVar

from redis.exceptions import RedisError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from lookalike.client.status import Status
from lookalike.errors import LookalikeError
from lookalike.terminal import escaped

Answer = TypeVar("Answer")
# On a terminal the line is redrawn; elsewhere a line is added, and a log should stay readable.
PLAIN_EVERY_S = 5.0
# A part that was started this often within this time keeps dying.
STARTS = 3
WITHIN_S = 60.0
# Each poll is a task: ten seconds between two of them keep Flower's list for the tasks of people.
SHORTEST_S = 1.0
LONGEST_S = 10.0


def live_line(status: Status | None, flower_url: str, troubled: Iterable[str]) -> str:
    """`discovered 713 · indexed 640 · rejected 0 · 85/s · ETA 1 s · Flower http://127.0.0.1:5555`."""
    if status is None or status.indexed is None:
        fields = ["starting"]
    else:
        fields = [f"discovered {status.discovered}", f"indexed {status.indexed}", f"rejected {status.rejected}"]
        # With nothing left the rate of the last minute only decays.
        if status.rate_per_s and status.eta_s:
            fields += [f"{status.rate_per_s:.3g}/s", f"ETA {format_duration(status.eta_s)}"]
    if status is not None and status.paused:
        fields.append(status.paused)
    fields.append(f"Flower {flower_url}")
    if status is not None and status.warning:
        fields.append(status.warning)
    fields += [f"{part} keeps dying: lookalike logs {part}" for part in troubled]
    return " · ".join(fields)


def format_duration(seconds: float | None) -> str:
    """`1 s`, `2 min`, `3 h 5 min`; `unknown` for None."""
    if seconds is None:
        return "unknown"
    if seconds < 100:  # noqa: PLR2004 (two digits read best in seconds)
        return f"{max(1, round(seconds)) if seconds else 0} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


class RestartCounter:
    """Remembers when parts were started, to tell which of them keep dying."""

    def __init__(self) -> None:
        self._started: dict[str, deque[float]] = {}

    def record_start(self, part: str, started_at: float) -> None:
        """Records the last start of a part; the same one may be recorded often."""
        known = self._started.setdefault(part, deque(maxlen=STARTS))
        if started_at and started_at not in known:
            known.append(started_at)

    def keep_dying(self, now: float) -> list[str]:
        """The parts that were started STARTS times within the last WITHIN_S seconds."""
        return [part for part, known in self._started.items() if len(known) == STARTS and now - known[0] <= WITHIN_S]


class LiveConsole:
    """Shows the line: redrawn on a terminal, elsewhere a new one when something changed, every few seconds."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown = ""
        self._shown_at = -PLAIN_EVERY_S

    def say(self, text: str) -> None:
        """Adds a line that stays."""
        self._console.print(Text(escaped(text)), soft_wrap=True)

    def show(self, line: str) -> None:
        """Shows the line if it is new."""
        if line == self._shown:
            return
        if self._live is not None:
            self._live.update(Text(escaped(line)), refresh=True)
        elif self._now() - self._shown_at < PLAIN_EVERY_S:
            return
        else:
            self.say(line)
        self._shown, self._shown_at = line, self._now()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the last line on the terminal."""
        if self._live is not None:
            self._live.stop()


class Latest(Generic[Answer]):
    """The last answer of a function that is polled; None before the first."""

    def __init__(self) -> None:
        self.answer: Answer | None = None


@contextmanager
def polled(ask: Callable[[], Answer]) -> Iterator[Latest[Answer]]:
    """Calls `ask` in a thread until the block ends, with pauses by `next_pause_s`; an error keeps the last answer."""
    latest: Latest[Answer] = Latest()
    ended = threading.Event()

    def poll() -> None:
        wait_s = SHORTEST_S
        while not ended.is_set():
            before = latest.answer
            # The parts are starting or restarting; the screen names one that keeps dying.
            with suppress(LookalikeError, RedisError):
                latest.answer = ask()
            wait_s = next_pause_s(wait_s, latest.answer != before)
            ended.wait(wait_s)

    # A daemon: a call that never returns must not keep `up` from ending.
    threading.Thread(target=poll, daemon=True, name="status").start()
    try:
        yield latest
    finally:
        ended.set()


def next_pause_s(last_s: float, changed: bool) -> float:  # noqa: FBT001 (a fact, not a switch)
    """Pauses of 1 s while answers change, else 2, 4, 8 and then 10 s."""
    return SHORTEST_S if changed else min(2 * last_s, LONGEST_S)
