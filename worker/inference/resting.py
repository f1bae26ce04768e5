"""A session that is given up when it was not used for a while, and made again by the next run.

While it is given up, no thread waits for anything.
"""

import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lookalike.log import get_logger
from lookalike.system.memory import give_memory_back
from models.onnx_runtime import ort

log = get_logger(__name__)


class RestingSession:
    """A session of ONNX Runtime for one thread. With None for `rests_after_s` it is kept for ever.

    `load_again` makes the later ones; what it raises comes out of the run that needs one.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        load_again: Callable[[], ort.InferenceSession],
        rests_after_s: float | None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load_again = load_again
        self._rests_after_s = rests_after_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._session: ort.InferenceSession | None = session
        self._used_s = now_s()
        self._is_watched = False

    @property
    def is_loaded(self) -> bool:
        """Whether it takes its memory now."""
        return self._session is not None

    def run(self, outputs: Sequence[str], given: Mapping[str, Any]) -> Sequence[Any]:
        """The outputs of the network, as the session itself gives them."""
        with self._lock:
            if self._session is None:
                begun_s = self._now_s()
                self._session = self._load_again()
                log.info("model loaded again", took_s=round(self._now_s() - begun_s, 2))
            try:
                return self._session.run(outputs, given)  # type: ignore[no-any-return]
            finally:
                self._used_s = self._now_s()
                self._watch()

    def rest_if_due(self) -> float:
        """Gives the session up if it was not used for long enough; the seconds until then, 0 if it is given up."""
        with self._lock:
            left_s = self._used_s + (self._rests_after_s or 0.0) - self._now_s()
            if left_s > 0:
                return left_s
            self._session, self._is_watched = None, False
        give_memory_back()
        log.info("model given up", unused_s=self._rests_after_s)
        return 0.0

    def _watch(self) -> None:
        if self._rests_after_s is None or self._is_watched:
            return
        self._is_watched = True
        threading.Thread(target=_rest_when_due, args=(weakref.ref(self),), name="resting", daemon=True).start()


def _rest_when_due(session: "weakref.ref[RestingSession]") -> None:
    """Sleeps until then. A session that is dropped elsewhere is not held for it."""
    wait_s: float | None = None
    while wait_s != 0.0:
        time.sleep(wait_s or 0.0)
        known = session()
        wait_s = 0.0 if known is None else known.rest_if_due()
        del known
