"""Writes heartbeats, and the producer's report when it changed: within a second, at once if that is its state."""

from collections.abc import Callable
from functools import partial

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from lookalike.broker.index_state import IndexReport, IndexState, index_report
from lookalike.broker.reports import ProducerReport
from lookalike.broker.telemetry import BEAT_S, Telemetry, until_common_time_s
from lookalike.broker.together import ask_together
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.scanning.planner import DeletionGuard

REPORT_S = 1.0


class Reporter:
    """Writes the report. Also detects broker loss and recovery, once a second."""

    def __init__(
        self,
        *,
        telemetry: Telemetry,
        redis: Redis,
        broker_health: BrokerHealth,
        in_flight: InFlight,
        deletion_guard: DeletionGuard,
        on_allowed: Callable[[], None],
        index_state: IndexState,
        on_index_changed: Callable[[IndexReport], None],
        on_left_undone: Callable[[str], None] = lambda _: None,
        identity: str,
        now_s: Callable[[], float],
    ) -> None:
        self._telemetry = telemetry
        self._redis = redis
        self._broker_health = broker_health
        self._in_flight = in_flight
        self._deletion_guard = deletion_guard
        self._on_allowed = on_allowed
        self._index_state = index_state
        self._on_index_changed = on_index_changed
        self._on_left_undone = on_left_undone
        self._left_undone: str | None = None
        # None until it was read once: the first scan compares with the index as it is then.
        self._epoch: str | None = None
        # Why workers write nothing; empty if they do.
        self.trouble = ""
        self._identity = identity
        self._now_s = now_s
        self._written: tuple[object, ...] = ()
        self._report: ProducerReport | None = None
        self._next_report_s = 0.0
        self._next_heartbeat_s = 0.0
        self._is_start_counted = False
        self._broker_run_id: str | None = None

    @property
    def is_broker_away(self) -> bool:
        """Whether the last attempt to use it failed."""
        return self._broker_health.is_unavailable

    def report(self, report: ProducerReport) -> None:
        """Writes the report if it is due, or if a value changed that a client may be waiting for."""
        now_s = self._now_s()
        urgent = (report.state, report.scan_ended_at, report.warning, report.settling > 0, report.held > 0)
        is_due = now_s >= (self._next_heartbeat_s if self._is_as_written(report) else self._next_report_s)
        if (urgent == self._written and not is_due) or not self._broker_health.allows_attempt():
            return
        try:
            if now_s >= self._next_heartbeat_s:
                if not self._is_start_counted:
                    self._telemetry.count_start("producer")
                    self._is_start_counted = True
                self._beat()
                self._next_heartbeat_s = now_s + until_common_time_s(now_s, BEAT_S)
            self._telemetry.write_report(report)
            if len(self._in_flight) and not self._telemetry.waiting() and not self._telemetry.in_progress():
                self._in_flight.forget_sent_before(now_s)
        except (RedisError, OSError) as error:
            self._broker_health.failed(error)
            # BrokerHealth reports the recovery.
            self._broker_run_id = None
            return
        self._broker_health.succeeded()
        self._written, self._report, self._next_report_s = urgent, report, now_s + REPORT_S

    def _is_as_written(self, report: ProducerReport) -> bool:
        """Whether there is nothing to tell but that the producer lives."""
        return report == self._report and not len(self._in_flight)

    def _beat(self) -> None:
        """Renews the heartbeat, and hears in the same request what has to be known once in a while."""
        found = ask_together(
            self._redis,
            {
                "report": self._telemetry.report_question(),
                "removals": self._telemetry.removals_question(),
                **self._index_state.questions(),
            },
            also=partial(self._telemetry.heartbeat, "producer", self._identity),
        )
        self._detect_broker_restart(has_report=found["report"])
        self._take_deletion_permission(is_given=found["removals"])
        self._take_index_state(index_report(found))

    def _take_deletion_permission(self, *, is_given: bool) -> None:
        """Clears the permission once a scan has used it."""
        deletion_guard = self._deletion_guard
        if deletion_guard.is_used:
            self._telemetry.revoke_removals()
            deletion_guard.is_allowed = deletion_guard.is_used = False
            return
        deletion_guard.is_allowed = is_given
        if deletion_guard.is_allowed and deletion_guard.is_blocking:
            self._on_allowed()

    def _take_index_state(self, report: IndexReport) -> None:
        """Sees whether the index was rebuilt or may have lost something."""
        self.trouble = report.trouble
        if report.epoch and self._epoch is not None and report.epoch != self._epoch:
            self._on_index_changed(report)
        self._epoch = report.epoch or self._epoch or ""
        if self._left_undone is not None and report.left_undone != self._left_undone:
            self._on_left_undone(report.why_undone)
        self._left_undone = report.left_undone

    def _detect_broker_restart(self, *, has_report: bool) -> None:
        """Detects a broker that restarted between two attempts: it may have lost messages.

        So may one that was emptied (FLUSHALL, eviction): our report is missing there.
        """
        try:
            run_id = str(self._redis.info("server").get("run_id"))
        except ResponseError:
            # Some hosted brokers do not allow INFO; then only failed attempts count.
            run_id = "unknown"
        if self._broker_run_id is not None and (run_id != self._broker_run_id or not has_report):
            self._broker_health.restarted()
        self._broker_run_id = run_id
