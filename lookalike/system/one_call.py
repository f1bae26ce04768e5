"""One call in a process of its own, so that what it loads is gone when it returns."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from lookalike.system.process_guard import die_with_parent

R = TypeVar("R")


def called_apart(call: Callable[[], R]) -> R:
    """The result of `call`, or what it raises, made in a process that is forked for it and ends with this one.

    Result and errors are pickled. Raises ChildProcessError if the process was killed. On other systems than Linux it is
    called in this one: a process that has loaded their libraries may not go on after a fork(). To be called while no
    other thread computes.
    """
    if sys.platform != "linux":
        return call()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(call, sender, os.getpid()))
    process.start()
    sender.close()
    try:
        result, error = receiver.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(f"A process that was to look at something ended with {process.exitcode}.") from None
    finally:
        # It may wait without end for what the call needs, and Ctrl-C was meant for both.
        process.kill()
        process.join()
        receiver.close()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _call(call: Callable[[], object], sender: Connection, parent_pid: int) -> None:
    die_with_parent(signal.SIGKILL, parent_pid)
    outcome: tuple[object, Exception | None]
    try:
        outcome = call(), None
    except Exception as error:  # noqa: BLE001 (raised again where it was asked for)
        outcome = None, error
    sender.send(outcome)
