"""Tells the board how the producer is: a beat, a note about once a second, and at once when its state changes."""

import logging
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from lookalike.index_state import IndexReport, IndexState
from lookalike.telemetry import BEAT_S, ProducerReport, Telemetry
from producer.broker_health import BrokerHealth
from producer.deletion_guard import DeletionGuard
from producer.in_flight import InFlight

log = logging.getLogger(__name__)

NOTE_S = 1.0


class Reporter:
    """Writes what `note` says. It is also what finds out that the broker went or came back, once a second."""

    def __init__(
        self,
        *,
        telemetry: Telemetry,
        redis: Redis,
        broker_health: BrokerHealth,
        in_flight: InFlight,
        removals: DeletionGuard,
        on_allowed: Callable[[], None],
        index_notes: IndexState,
        on_index_changed: Callable[[IndexReport], None],
        identity: str,
        now_s: Callable[[], float],
    ) -> None:
        self._telemetry = telemetry
        self._redis = redis
        self._broker_health = broker_health
        self._in_flight = in_flight
        self._removals = removals
        self._on_allowed = on_allowed
        self._index_notes = index_notes
        self._on_index_changed = on_index_changed
        # None until it was read once: the scan at start sees the index as it is then.
        self._epoch: str | None = None
        # Why workers write nothing; empty if they do.
        self.trouble = ""
        self._identity = identity
        self._now_s = now_s
        self._said: tuple[object, ...] = ()
        self._next_note_s = 0.0
        self._next_beat_s = 0.0
        self._broker: str | None = None

    def report(self, note: ProducerReport) -> None:
        """Writes the note if it is time, or if somebody may be waiting for what it says."""
        now_s = self._now_s()
        matters = (note.state, note.scan_ended_at, note.warning, note.settling > 0, note.held > 0)
        if (matters == self._said and now_s < self._next_note_s) or not self._broker_health.allows_attempt():
            return
        try:
            if now_s >= self._next_beat_s:
                self._telemetry.heartbeat("producer", self._identity)
                self._mind_loss()
                self._mind_removals()
                self._mind_index()
                self._next_beat_s = now_s + BEAT_S
            self._telemetry.write_report(note)
            if len(self._in_flight) and not self._telemetry.waiting() and not self._telemetry.in_progress():
                self._in_flight.drained(now_s)
        except (RedisError, OSError) as error:
            self._broker_health.failed(error)
            # Its return is told already.
            self._broker = None
            return
        self._broker_health.succeeded()
        self._said, self._next_note_s = matters, now_s + NOTE_S

    def _mind_removals(self) -> None:
        """Hears of a permission within a beat, and gives it back once a scan has used it."""
        removals = self._removals
        if removals.is_used:
            self._telemetry.revoke_removals()
            removals.is_allowed = removals.is_used = False
            return
        removals.is_allowed = self._telemetry.are_removals_allowed()
        if removals.is_allowed and removals.is_asking:
            self._on_allowed()

    def _mind_index(self) -> None:
        """Hears within a beat of an index that was made anew, or that may have lost something."""
        note = self._index_notes.read()
        self.trouble = note.trouble
        if note.epoch and self._epoch is not None and note.epoch != self._epoch:
            self._on_index_changed(note)
        self._epoch = note.epoch or self._epoch or ""

    def _mind_loss(self) -> None:
        """A broker that came back between two tries was not seen away, but may have lost messages too.

        So has one that was emptied (FLUSHALL, another's keys in its memory): it does not know our note any more.
        """
        try:
            broker = str(self._redis.info("server").get("run_id"))
        except ResponseError:
            # Some hosted brokers do not allow INFO; then only what is seen counts.
            broker = "unknown"
        if self._broker is not None and (broker != self._broker or not self._telemetry.has_report()):
            self._broker_health.restarted()
        self._broker = broker
