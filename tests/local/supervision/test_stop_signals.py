"""Asking to stop by signal, with real signals."""

import os
import signal
import time

from lookalike.local.supervision.stop_signals import STOP_SIGNALS, stop_on_signals


def test_each_stop_signal_wakes_whoever_waits() -> None:
    for number in STOP_SIGNALS:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), number)
            began = time.monotonic()

            assert stop.wait(30)
            assert time.monotonic() - began < 5


def test_without_a_signal_waiting_takes_its_time_and_says_no() -> None:
    with stop_on_signals() as stop:
        assert not stop.wait(0.01)


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    with stop_on_signals():
        pass

    assert {number: signal.getsignal(number) for number in STOP_SIGNALS} == before


def test_under_nohup_a_closed_terminal_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)
