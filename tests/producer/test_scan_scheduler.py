"""When to scan."""

from producer.scan_scheduler import pause_s


def test_between_scans_is_the_setting_or_ten_times_what_a_scan_works() -> None:
    assert pause_s(300.0, 1.0) == 300.0
    assert pause_s(300.0, 60.0) == 600.0
