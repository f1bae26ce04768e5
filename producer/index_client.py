"""Asks the index through the search workers, and waits for an answer as long as it takes."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from lookalike.errors import LookalikeError, Unreachable
from lookalike.log import fields
from lookalike.messages import CountsReply, KnownFile, ReadPage
from lookalike.transport import CeleryTransport
from producer.backoff import backoff_s
from producer.broker_health import BrokerHealth
from producer.shutdown import sleep

log = logging.getLogger(__name__)

# A page takes about 10 ms; a search worker that is still loading its model takes some seconds.
ANSWER_S = 10.0
LOOK_S = 0.1

Answer = TypeVar("Answer")


class IndexClient:
    """What the index says. One object per thread, because each shows its own trouble.

    Every method raises Stopped when the producer ends, and nothing else: what is away comes back. `on_return`
    is called when broker or store could not be reached for a while: they may have lost something.
    """

    def __init__(
        self,
        transport: CeleryTransport,
        broker_health: BrokerHealth,
        stop: threading.Event,
        on_return: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._broker_health = broker_health
        self._stop = stop
        self._on_return = on_return
        self._answered_once = False
        # Why it has to wait right now; empty if it does not.
        self.trouble = ""

    def counts(self) -> CountsReply:
        """How much is in the index, and which library it belongs to."""
        return self._patiently(lambda: self._transport.counts(timeout_s=ANSWER_S))

    def known(self, paths: list[str]) -> dict[str, KnownFile]:
        """What is known of these paths (at most 1,000), by path."""
        reply = self._patiently(lambda: self._transport.known(paths, timeout_s=ANSWER_S))
        return {file.path: file for file in reply.files}

    def files(self, under: str | None = None) -> Iterator[KnownFile]:
        """Every file of the index, or those in a folder and below, page by page."""
        after: str | None = None
        while True:
            ask = ReadPage(after=after, under=under)
            reply = self._patiently(lambda ask=ask: self._transport.page(ask, timeout_s=ANSWER_S))  # type: ignore[misc]
            yield from reply.files
            after = reply.next
            if after is None:
                return

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        attempt = 0
        was_away = False
        while True:
            while not self._broker_health.is_there:
                # Celery would try on its own and complain each second.
                sleep(self._stop, LOOK_S)
            try:
                answer = ask()
            except LookalikeError as error:
                attempt += 1
                was_away = was_away or isinstance(error, Unreachable)
                self.trouble = f"The library cannot be compared with the index yet: {error}"
                if attempt == 1:
                    # At start the workers load their model first; that is nothing to warn of.
                    level = logging.WARNING if self._answered_once else logging.INFO
                    log.log(level, fields("index does not answer, asking again", error=str(error)))
                sleep(self._stop, backoff_s(attempt))
            else:
                if attempt:
                    log.info("index answers")
                if was_away and self._answered_once:
                    self._on_return()
                self.trouble = ""
                self._answered_once = True
                return answer
