"""Looks every few seconds whether the index is still there, so that one that was lost is made anew while nobody asks.

All worker processes of a system take turns, by a key that expires: it costs the store three requests in these seconds,
however many there are.
"""

import logging
import threading

from redis.exceptions import RedisError

from lookalike.errors import LookalikeError
from lookalike.log import fields
from worker.errors import Unavailable
from worker.index_opener import IndexOpener

log = logging.getLogger(__name__)

LOOK_S = 5.0
# One look that failed may have been one that waited too long.
NOTABLE_S = 2.0


class IndexMonitor:
    """Opens the index again and again, and tells the producer when it may have lost something."""

    def __init__(self, opener: IndexOpener) -> None:
        self._opener = opener

    def start(self) -> None:
        """Begins, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="minder", daemon=True).start()

    def look(self) -> None:
        """Looks once. Raises RedisError if the broker does not answer."""
        notes = self._opener.notes
        try:
            self._opener.open()
        except Unavailable as error:
            log.info(fields("index cannot be opened", why=str(error)))
            notes.report_unavailable()
            return
        except LookalikeError as error:
            log.warning(fields("index may not be used", why=str(error)))
            notes.report_trouble(str(error))
            return
        notes.report_trouble("")
        if notes.is_available_again(NOTABLE_S):
            # A store that comes back may be one of last week.
            notes.report_change("the store was away", recreated=False)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_S / 2):
            try:
                if self._opener.notes.acquire_turn(LOOK_S):
                    self.look()
            except (RedisError, OSError):
                # Whatever else needs the broker says so.
                continue
            except Exception:
                # A fault of ours must not leave the index alone for ever.
                log.exception("looking at the index failed")
