"""When to scan."""

from datetime import datetime, time

import pytest

from lookalike.settings import read_settings
from producer.scanning.schedule import DAY_S, FREQUENT_S, JITTER_S, SPREAD, Schedule, schedule_of

NOON = datetime(2026, 11, 30, 12, 0)  # noqa: DTZ001 (local time, of no zone)


def schedule(rescan_s: float | None = None, scan_at: time | None = None, random: float = 0.0) -> Schedule:
    return Schedule(rescan_s, scan_at, lambda: NOON, lambda: random)


def test_an_interval_that_was_set_counts_wherever_the_library_lies() -> None:
    for complete in (True, False):
        assert schedule(60.0).pause_s(1.0, events_are_complete=complete, in_vain=3) == 60.0


def test_a_scan_takes_a_tenth_of_the_time_at_most() -> None:
    assert schedule(60.0).pause_s(60.0, events_are_complete=True, in_vain=0) == 600.0


def test_where_changes_may_go_unseen_it_is_frequent_and_elsewhere_daily() -> None:
    assert schedule().pause_s(1.0, events_are_complete=False, in_vain=0) == FREQUENT_S
    assert schedule().pause_s(1.0, events_are_complete=True, in_vain=0) == DAY_S
    assert schedule(random=1.0).pause_s(1.0, events_are_complete=True, in_vain=0) == DAY_S - JITTER_S


def test_what_is_tried_again_and_again_is_tried_less_and_less() -> None:
    pauses = [schedule().pause_s(1.0, events_are_complete=True, in_vain=times) for times in range(1, 30)]

    assert pauses[:3] == [FREQUENT_S, 2 * FREQUENT_S, 4 * FREQUENT_S]
    assert pauses[-1] == DAY_S


@pytest.mark.parametrize(("at", "hours"), [(time(13, 30), 1.5), (time(3, 30), 15.5), (time(12, 0), 24.0)])
def test_a_time_of_the_day_is_kept_within_the_half_hour_after_it(at: time, hours: float) -> None:
    for random in (0.0, 1.0):
        pause_s = schedule(None, at, random).pause_s(1.0, events_are_complete=True, in_vain=0)
        assert pause_s == hours * 3600 + JITTER_S * random or pause_s == DAY_S
    # It stands beside the interval.
    assert schedule(60.0, at).pause_s(1.0, events_are_complete=True, in_vain=0) == 60.0


def test_a_bucket_is_listed_at_its_interval_and_a_random_share_more() -> None:
    settings = read_settings(library="s3://photos", rescan_s=600)
    soonest, latest = (schedule_of(settings, lambda: NOON, random) for random in (lambda: 0.0, lambda: 1.0))

    assert soonest.pause_s(1.0, events_are_complete=False, in_vain=0) == 600
    assert latest.pause_s(1.0, events_are_complete=False, in_vain=0) == 600 * (1 + SPREAD)


def test_a_bucket_with_a_time_of_the_day_alone_is_listed_once_a_day() -> None:
    bucket = schedule_of(read_settings(library="s3://photos", scan_at="03:30"), lambda: NOON, lambda: 0.0)

    assert bucket.pause_s(1.0, events_are_complete=False, in_vain=0) == 15.5 * 3600


def test_a_folder_is_looked_at_beside_the_time_of_the_day() -> None:
    folder = schedule_of(read_settings(library="/srv/photos", scan_at="03:30"), lambda: NOON, lambda: 0.0)

    assert folder.pause_s(1.0, events_are_complete=False, in_vain=0) == FREQUENT_S
