"""Checks every few seconds that the index exists, so that a lost one is made again while no task runs.

All worker processes of a system take turns, by a key that expires: it costs the store three requests in ten seconds,
however many processes there are.
"""

import threading
from collections.abc import Callable

from redis.exceptions import RedisError

from lookalike.errors import LookalikeError
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger
from worker.index.opener import IndexOpener

log = get_logger(__name__)

CHECK_EVERY_S = 10.0
# A single failed check may only have timed out.
NOTABLE_S = 2.0


class IndexMonitor:
    """Opens the index repeatedly, and notifies the producer when the index may have lost something.

    `opener` gives that of the index which is searched, None if this process works with another one.
    """

    def __init__(self, opener: Callable[[], IndexOpener | None]) -> None:
        self._opener = opener

    def start(self) -> None:
        """Starts a thread that ends with the process."""
        threading.Thread(target=self._run, name="index-monitor", daemon=True).start()

    def check_index(self) -> None:
        """Checks once. Raises RedisError if the broker does not answer."""
        opener = self._opener()
        if opener is None:
            return
        state = opener.state
        try:
            opener.open()
        except Unavailable as error:
            log.info("index cannot be opened", why=str(error))
            state.report_unavailable()
            return
        except LookalikeError as error:
            log.warning("index may not be used", why=str(error))
            state.report_trouble(str(error))
            return
        state.report_trouble("")
        if state.is_available_again(NOTABLE_S):
            # The store may have come back with old data.
            state.report_change("the store was away", recreated=False)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_EVERY_S):
            try:
                opener = self._opener()
                # For a little less: the same process may have the next turn.
                if opener is not None and opener.state.acquire_turn(0.9 * CHECK_EVERY_S):
                    self.check_index()
            except (RedisError, OSError):
                # The tasks report a broker that fails.
                continue
            except Exception:
                # A bug must not end the checks for good.
                log.exception("the check of the index failed")
