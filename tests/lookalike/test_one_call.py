"""A call in a process of its own: what it returns and raises, and that it leaves nothing behind."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from lookalike import Misconfigured
from lookalike.system.one_call import called_apart
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="called in the same process there")

WAITS = """
import sys, time
from lookalike.system.one_call import called_apart

def wait():
    print("waits", flush=True)
    time.sleep(60)

called_apart(wait)
"""


def test_the_result_comes_from_another_process_which_is_gone_then() -> None:
    pid = called_apart(os.getpid)

    assert pid != os.getpid()
    assert not psutil.pid_exists(pid)


def test_what_it_raises_is_raised_here() -> None:
    def refuse() -> None:
        raise Misconfigured("The model is none.")

    with pytest.raises(Misconfigured, match=r"The model is none\."):
        called_apart(refuse)


def test_a_process_that_is_killed_is_an_error() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="ended with -9"):
        called_apart(die)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_who_called(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"waits\n"
        (other,) = psutil.Process(caller.pid).children()

        caller.send_signal(number)
        caller.wait(10)

    wait_until(lambda: not other.is_running())
