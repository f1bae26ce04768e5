"""Hours of the day in which nothing is to be embedded, such as "08:00-18:00" or, over midnight, "22:00-06:30"."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True)
class QuietHours:
    """From `begin` to before `end` each day, by the local clock; over midnight if it ends earlier than it begins."""

    begin: time
    end: time

    @classmethod
    def parsed(cls, text: str) -> "QuietHours":
        """Raises ValueError with what is expected."""
        begin, _, end = text.strip().partition("-")
        try:
            span = cls(_time(begin), _time(end))
        except ValueError:
            raise ValueError("must look like 08:00-18:00, with times from 00:00 to 23:59") from None
        if span.begin == span.end:
            raise ValueError("must end at another time than it begins: `lookalike pause` pauses without an end")
        return span

    def end_after(self, now: datetime) -> datetime | None:
        """The end, naive, of the quiet hours in which `now`, in local time, lies; None if it lies in none."""
        at = now.time()
        is_over_midnight = self.end < self.begin
        is_quiet = at >= self.begin or at < self.end if is_over_midnight else self.begin <= at < self.end
        if not is_quiet:
            return None
        day = now.date() + timedelta(days=1 if is_over_midnight and at >= self.begin else 0)
        return datetime.combine(day, self.end)


def _time(text: str) -> time:
    return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 (a time of the day, of no zone)
