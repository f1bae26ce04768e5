"""Whether this worker pauses: a person asked for it, it is a quiet hour, or the machine runs on its battery."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from redis.exceptions import RedisError

from lookalike.broker.pause import Pause, PauseState
from lookalike.log import get_logger
from lookalike.settings.quiet_hours import QuietHours

# Linux: Documentation/ABI/testing/sysfs-class-power. Elsewhere, and in a virtual machine, the folder is empty or none.
POWER = Path("/sys/class/power_supply")
log = get_logger(__name__)


class Pausing:
    """The pause as this worker last saw it. `look` makes up to two requests to the broker."""

    def __init__(self, state: PauseState, local: Callable[[], Pause | None]) -> None:
        self._state = state
        self._local = local
        self._told: Pause | None = None
        self.current: Pause | None = None

    def look(self) -> None:
        """Looks whether to pause. Raises RedisError; what was seen before stays then."""
        local = self._local()
        if local is not None or self._told is not None:
            self._state.tell(local)
            self._told = local
        found = self._state.asked() or local
        if found != self.current:
            log.info("paused" if found else "resumed", **({"why": found.in_words()} if found else {}))
        self.current = found

    def look_if_possible(self) -> None:
        """As `look`; a broker that does not answer changes nothing."""
        try:
            self.look()
        except (RedisError, OSError) as error:
            log.warning("whether to pause is not known", why=str(error))


def local_pause(
    quiet_hours: QuietHours | None,
    *,
    on_battery: bool,
    unix_s: Callable[[], float] = time.time,
    power: Path = POWER,
) -> Pause | None:
    """The reason that this machine itself has to pause; `on_battery` if that is one."""
    if quiet_hours is not None:
        until = quiet_hours.end_after(datetime.fromtimestamp(unix_s(), UTC).astimezone())
        if until is not None:
            return Pause("quiet hours", until.timestamp())
    return Pause("battery") if on_battery and is_on_battery(power) else None


def is_on_battery(power: Path = POWER) -> bool:
    """Whether no mains supply is on line and a battery of the machine itself is being discharged."""
    supplies = [folder for folder in sorted(power.glob("*")) if _read(folder / "scope") != "Device"]
    if any(_read(folder / "online") == "1" for folder in supplies if _read(folder / "type") in ("Mains", "USB")):
        return False
    return any(_read(folder / "status") == "Discharging" for folder in supplies if _read(folder / "type") == "Battery")


def _read(file: Path) -> str:
    """The word of a file of sysfs, whose drivers may fail."""
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""
