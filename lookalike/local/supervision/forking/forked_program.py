"""Runs a Python program in a process that was forked, as if it had been executed."""

import atexit
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

from lookalike.system.process_guard import be_guarded

# Python's exit code of a program that raised.
RAISED = 1


def find_title_room() -> None:
    """Before anything changes the environment, next to which the title lies; that is left readable in /proc."""
    from setproctitle import getproctitle  # noqa: PLC0415 (installed on Linux alone)

    os.environ["SPT_NOENV"] = "1"
    getproctitle()


def module_of(command: Sequence[str]) -> str | None:
    """The module that the command runs with this Python; None for other commands."""
    match command:
        case [sys.executable, "-m", module, *_]:
            return module
        case _:
            return None


def run_forked(guard_arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Runs `python -m MODULE ...`, guarded, and ends the process with its exit code."""
    from setproctitle import setproctitle  # noqa: PLC0415 (as above)

    code = RAISED
    try:
        _forget_parent(environment)
        command = be_guarded(guard_arguments)
        setproctitle(" ".join(command))
        sys.argv = command[2:]
        code = _exit_code(command[2])
        # What the interpreter does at its end; that end itself would lead back through supervisord.
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _forget_parent(environment: Mapping[str, str]) -> None:
    """Signals and environment as a program that is executed finds them."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)


def _exit_code(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        match ended.code:
            case None:
                return 0
            case int(code):
                return code & 0xFF
            case message:
                sys.stderr.write(f"{message}\n")
                return RAISED
    except BaseException:  # noqa: BLE001 (as the interpreter itself)
        traceback.print_exc()
        return RAISED
    return 0
