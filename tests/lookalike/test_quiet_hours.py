"""Quiet hours: which moments lie in them, and when they end."""

from datetime import datetime

import pytest

from lookalike.settings.quiet_hours import QuietHours

DAY, NIGHT = "2026-11-29", "2026-11-30"


@pytest.mark.parametrize(
    ("span", "now", "end"),
    [
        ("08:00-18:00", f"{DAY} 07:59:59", None),
        ("08:00-18:00", f"{DAY} 08:00", f"{DAY} 18:00"),
        ("08:00-18:00", f"{DAY} 17:59:59", f"{DAY} 18:00"),
        ("08:00-18:00", f"{DAY} 18:00", None),
        ("22:00-06:30", f"{DAY} 21:59", None),
        ("22:00-06:30", f"{DAY} 22:00", f"{NIGHT} 06:30"),
        ("22:00-06:30", f"{NIGHT} 00:00", f"{NIGHT} 06:30"),
        ("22:00-06:30", f"{NIGHT} 06:29", f"{NIGHT} 06:30"),
        ("22:00-06:30", f"{NIGHT} 06:30", None),
        ("22:00-00:00", f"{DAY} 23:59", f"{NIGHT} 00:00"),
        ("22:00-00:00", f"{NIGHT} 00:00", None),
    ],
)
def test_quiet_hours_end_on_their_day_or_the_next(span: str, now: str, end: str | None) -> None:
    expected = None if end is None else datetime.fromisoformat(end)

    assert QuietHours.parsed(span).end_after(datetime.fromisoformat(now)) == expected


@pytest.mark.parametrize("text", ["", "8", "08:00", "08:00-", "08:00-24:00", "08:60-18:00", "08:00-18:00-19:00", "x-y"])
def test_what_are_no_hours_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="must look like 08:00-18:00"):
        QuietHours.parsed(text)


def test_hours_without_an_end_are_no_hours() -> None:
    with pytest.raises(ValueError, match="lookalike pause"):
        QuietHours.parsed("08:00-08:00")
