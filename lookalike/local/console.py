"""What `up` shows while it runs: a few lines to begin with, then one live line. Knows nothing of processes."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lookalike.terminal import escaped

# On a terminal the line is redrawn; elsewhere a line is added, and a log should stay readable.
PLAIN_EVERY_S = 5.0
# A part that was started this often within this time keeps dying.
STARTS = 3
WITHIN_S = 60.0


class Status(Protocol):
    """The numbers of the live line; files, files per second, seconds."""

    @property
    def discovered(self) -> int: ...  # noqa: D102
    @property
    def indexed(self) -> int | None: ...  # noqa: D102
    @property
    def rejected(self) -> int | None: ...  # noqa: D102
    @property
    def rate_per_s(self) -> float: ...  # noqa: D102
    @property
    def eta_s(self) -> float | None: ...  # noqa: D102
    @property
    def warning(self) -> str | None: ...  # noqa: D102


def live_line(status: Status | None, flower_url: str, troubled: Iterable[str]) -> str:
    """`discovered 713 · indexed 640 · rejected 0 · 85/s · ETA 1 s · Flower http://127.0.0.1:5555`."""
    if status is None or status.indexed is None:
        said = ["starting"]
    else:
        said = [f"discovered {status.discovered}", f"indexed {status.indexed}", f"rejected {status.rejected}"]
        # With nothing left the rate of the last minute only fades away.
        if status.rate_per_s and status.eta_s:
            said += [f"{status.rate_per_s:.3g}/s", f"ETA {duration(status.eta_s)}"]
    said.append(f"Flower {flower_url}")
    if status is not None and status.warning:
        said.append(status.warning)
    said += [f"{part} keeps dying: lookalike logs {part}" for part in troubled]
    return " · ".join(said)


def duration(seconds: float) -> str:
    """`1 s`, `2 min`, `3 h 5 min`."""
    if seconds < 100:  # noqa: PLR2004 (two digits read best in seconds)
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


class RestartCounter:
    """Remembers when parts were started, to tell which of them keep dying."""

    def __init__(self) -> None:
        self._started: dict[str, deque[float]] = {}

    def saw(self, part: str, started_at: float) -> None:
        """Notes the last start of a part; the same one may be noted often."""
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
