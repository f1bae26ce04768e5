"""Fetches the result of a task through Celery, and turns what its libraries raise into our errors."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import Any

from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from kombu.exceptions import LimitExceeded, OperationalError
from redis.exceptions import RedisError

from lookalike.broker.celery_overrides import Answer
from lookalike.errors import Cancelled, LookalikeError, Refused, TimedOut, Unreachable

# Most answers come much sooner.
CHECK_EVERY_S = 2.0
CANCELLED = "The job was cancelled before a worker began it: send it again if it is wanted after all."
DIED = "The worker's process died over it; what was sent cannot be processed."
EXPIRED = "Nobody took the job before it expired. `lookalike status` tells which part is silent."


class WorkerDied(Refused):
    """The worker died after it had begun: a search is asked once more, for it may not have been the reason."""


def fetch_result(result: Answer, *, timeout_s: float, check: Callable[[], None]) -> Any:
    """The result as JSON. Raises TimedOut, Cancelled, Unreachable, Closed, or the error of the worker.

    Calls `check` every CHECK_EVERY_S while it waits, which raises if nothing will come.
    """
    until_s = time.monotonic() + timeout_s
    while True:
        # Celery's own `on_interval` is called once: it is a promise.
        step_s = min(max(0.0, until_s - time.monotonic()), CHECK_EVERY_S)
        with broker_errors(check), suppress(CeleryTimeoutError):
            # Searching from inside a task is fine: searches run on workers of their own, so nothing can
            # wait for itself (Celery's rule is about tasks that fill the pool they wait for).
            return read_answer(result.get(timeout=step_s, propagate=False, disable_sync_subtasks=False))
        if time.monotonic() >= until_s:
            raise no_answer(timeout_s)
        check()


def read_answer(answer: Any) -> Any:
    """What Celery has as a job's result, if it is one. Raises TimedOut, Cancelled, or the error of the worker."""
    if isinstance(answer, TaskRevokedError):
        # Celery's word for a job that was taken too late; otherwise a client or a person revoked it.
        raise TimedOut(EXPIRED) if str(answer) == "expired" else Cancelled(CANCELLED)
    if isinstance(answer, LookalikeError):
        raise answer
    if isinstance(answer, WorkerLostError):
        raise WorkerDied(DIED)
    if isinstance(answer, TimeLimitExceeded):
        raise Refused(DIED)
    if isinstance(answer, BaseException):
        # Rebuilt by Celery from the name and message that the worker's exception had.
        raise Refused(f"The worker failed with {type(answer).__name__}: {answer}. `lookalike logs` has the rest.")
    return answer


def settle(future: "Future[Any]", outcome: Any) -> None:
    """Gives a future its answer or its error, unless it was cancelled or has one."""
    with suppress(InvalidStateError):
        if isinstance(outcome, LookalikeError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def no_answer(timeout_s: float) -> TimedOut:
    """The error when the wait is over."""
    return TimedOut(
        f"No answer within {timeout_s:g} s. `lookalike status` tells which part is silent or what waits before it."
    )


@contextmanager
def broker_errors(check_open: Callable[[], None]) -> Iterator[None]:
    """Raises Unreachable for what the broker's libraries raise while it is down, Closed if we closed them."""
    try:
        yield
    except LookalikeError:
        raise
    except (OperationalError, LimitExceeded, RedisError, ConnectionError, RuntimeError) as error:
        # Another thread may have closed the connections meanwhile.
        check_open()
        # RuntimeError is what Celery's result backend ends its retries with.
        raise Unreachable(
            f"The broker does not answer ({error}). Start the system with `lookalike up FOLDER`, or check REDIS_URL."
        ) from error
    except Exception:
        # What a connection raises that is closed under the thread that reads from it depends on how far the thread
        # is: OSError, ValueError, and AttributeError when redis-py has taken its buffer away.
        check_open()
        raise
