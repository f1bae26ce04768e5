"""Reads the index through the search workers, and retries until it gets an answer."""

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from lookalike.backoff import BACKOFF
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.errors import LookalikeError, Unreachable
from lookalike.log import get_logger
from lookalike.messages import CountsReply, KnownFile, ReadPage
from producer.publishing.broker_health import BrokerHealth
from producer.shutdown import sleep

log = get_logger(__name__)

# A page takes about 10 ms; a search worker that is still loading its model takes some seconds.
ANSWER_S = 10.0
POLL_S = 0.1

Answer = TypeVar("Answer")


class IndexClient:
    """Reads the index. One object per thread, because each shows its own `trouble`.

    Every method raises Stopped when the producer ends, and nothing else: every other error is retried. `on_return` is
    called when broker or store were unreachable for a while: they may have lost something.
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
        # Why a read is being retried right now; empty if none is.
        self.trouble = ""

    def counts(self) -> CountsReply:
        """The number of files in the index, and the library that it belongs to."""
        return self._ask_until_answered(lambda: self._transport.counts(timeout_s=ANSWER_S))

    def known(self, paths: list[str]) -> dict[str, KnownFile]:
        """The entries of these paths (at most 1,000), by path."""
        reply = self._ask_until_answered(lambda: self._transport.known(paths, timeout_s=ANSWER_S))
        return {file.path: file for file in reply.files}

    def files(self, under: str | None = None) -> Iterator[KnownFile]:
        """Every file of the index, or those in a folder and below, page by page."""
        after: str | None = None
        while True:
            request = ReadPage(after=after, under=under)
            reply = self._ask_until_answered(lambda request=request: self._transport.page(request, timeout_s=ANSWER_S))  # type: ignore[misc]
            yield from reply.files
            after = reply.next
            if after is None:
                return

    def _ask_until_answered(self, request: Callable[[], Answer]) -> Answer:
        was_unavailable = False

        def report(state: RetryCallState) -> None:
            nonlocal was_unavailable
            error = state.outcome and state.outcome.exception()
            was_unavailable = was_unavailable or isinstance(error, Unreachable)
            self.trouble = f"The library cannot be compared with the index yet: {error}"
            if state.attempt_number == 1:
                # At start the workers load their model first; that is no reason to warn.
                level = logging.WARNING if self._answered_once else logging.INFO
                log.log(level, "index does not answer, retrying", error=str(error))

        retrying = Retrying(
            retry=retry_if_exception_type(LookalikeError),
            before=self._wait_for_broker,
            before_sleep=report,
            wait=BACKOFF,
            sleep=functools.partial(sleep, self._stop),
        )
        answer = retrying(request)
        if self.trouble:
            log.info("index answers")
        if was_unavailable and self._answered_once:
            self._on_return()
        self.trouble = ""
        self._answered_once = True
        return answer

    def _wait_for_broker(self, _state: RetryCallState) -> None:
        while not self._broker_health.is_available:
            # Celery would retry on its own and log it each second.
            sleep(self._stop, POLL_S)
