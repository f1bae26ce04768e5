"""One call in a process of its own, so that what it loads is gone when it returns."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TypeVar

from lookalike.system.process_guard import die_with_parent

R = TypeVar("R")


def called_apart(call: Callable[[], R]) -> R:
    """The result of `call`, or what it raises, made in a process that is forked for it and ends with this one.

    On other systems than Linux it is called in this one: a process that has loaded their libraries may not go on after
    a fork(). To be called while no other thread runs.
    """
    if sys.platform != "linux":
        return call()
    guarded = partial(die_with_parent, signal.SIGKILL, os.getpid())
    # As many processes as there is work for; its thread ends with it.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"), initializer=guarded) as pool:
        return pool.submit(call).result()
