"""When to scan, and when to restart a scan."""

from producer.scan_scheduler import SUPERSEDED_AFTER_S, is_superseded, pause_s


def test_between_scans_is_the_setting_or_ten_times_what_a_scan_works() -> None:
    assert pause_s(300.0, 1.0) == 300.0
    assert pause_s(300.0, 60.0) == 600.0


def test_a_long_scan_restarts_when_another_was_requested() -> None:
    assert is_superseded(SUPERSEDED_AFTER_S + 1, requested=True)
    assert not is_superseded(SUPERSEDED_AFTER_S + 1, requested=False)
    assert not is_superseded(SUPERSEDED_AFTER_S, requested=True)
