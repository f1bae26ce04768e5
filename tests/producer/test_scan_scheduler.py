"""When to scan, and when to begin anew."""

from producer.scan_scheduler import OVERTAKEN_S, is_overtaken, pause_s


def test_between_scans_is_the_setting_or_ten_times_what_a_scan_works() -> None:
    assert pause_s(300.0, 1.0) == 300.0
    assert pause_s(300.0, 60.0) == 600.0


def test_a_long_scan_begins_anew_when_another_was_asked_for() -> None:
    assert is_overtaken(OVERTAKEN_S + 1, asked=True)
    assert not is_overtaken(OVERTAKEN_S + 1, asked=False)
    assert not is_overtaken(OVERTAKEN_S, asked=True)
