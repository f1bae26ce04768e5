"""What the system is doing, gathered from the telemetry and from the index."""

from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from lookalike.broker.address import without_secret
from lookalike.broker.app import broker_url
from lookalike.broker.generations import Reindex
from lookalike.broker.reports import SystemReport
from lookalike.broker.telemetry import BEATING_PARTS
from lookalike.client.transports.transport import IndexReader, Transport
from lookalike.errors import LookalikeError, Misconfigured
from lookalike.library.address import LibraryAddress
from lookalike.library.joined.folders import shown
from lookalike.library.paths import quoted
from lookalike.messages import CountsReply
from lookalike.settings import Settings

COUNTS_S = 3.0


class ReindexStatus(BaseModel):
    """A second generation of the index. Counts are files; `why` is why it does not go on, or was refused."""

    model_config = ConfigDict(frozen=True)

    state: str
    model: str
    distance: str
    done: int
    total: int
    rate_per_s: float
    eta_s: float | None
    why: str | None
    # What was asked for and is not done yet: fill, switch, cancel or drop; null if nothing is.
    order: str | None

    def in_words(self) -> str:
        """`filling 120 of 3000, 45/s, to resnet50, cosine`."""
        of = f" {self.done} of {self.total}" if self.order else ""
        rate = f", {self.rate_per_s:.3g}/s" if self.state == "filling" and self.rate_per_s else ""
        why = f" ({self.why})" if self.why else ""
        return f"{self.state}{of}{rate}, {self.model}, {self.distance}{why}"


class KeptGeneration(BaseModel):
    """The generation that was searched before the last switch, and the Unix time since which it is kept."""

    model_config = ConfigDict(frozen=True)

    model: str
    distance: str
    since: float


class Status(BaseModel):
    """`lookalike status --json`. Counts are files, rates are files per second; null is "not known now"."""

    model_config = ConfigDict(frozen=True)

    discovered: int
    indexed: int | None
    rejected: int | None
    ignored: int
    queued: int
    settling: int
    rate_per_s: float
    eta_s: float | None
    embedded_total: int
    state: str
    warning: str | None
    model: str
    distance: str
    backend: str | None
    precision: str | None
    threads: int | None
    redis_url: str | None
    qdrant_url: str | None
    flower_url: str | None
    library: str | None
    parts: dict[str, str]
    # A file that has not settled for long, because something keeps writing to it, and for how many seconds.
    restless: str | None = None
    restless_s: float = 0.0
    generation: str | None = None
    # Whether a search by copy is possible, and the cosines of copy descriptors that CountsReply explains.
    has_copies: bool | None = None
    near: float | None = None
    similar: float | None = None
    # Why ingest pauses and until when, in words and local time; the Unix time of its end if that is known; and what
    # pauses it: "command", "quiet hours" or "battery". All null while it does not.
    paused: str | None = None
    paused_until: float | None = None
    paused_by: str | None = None
    # For how long the watcher's oldest event waits or, while none does, how long its last proof of life took.
    watcher_lag_s: float = 0.0
    web_url: str | None = None
    # Of the last job for duplicates over the whole library: groups, and bytes that a plan to keep the best would save.
    # Null before the first one.
    duplicate_groups: int | None = None
    duplicate_bytes: int | None = None
    # The last reindex, and the generation that is kept since the last switch; null if there is none.
    reindex: ReindexStatus | None = None
    kept: KeptGeneration | None = None

    @property
    def is_done(self) -> bool:
        """Whether the scan has ended and nothing is settling, queued or in work."""
        return self.state == "watching" and self.queued == 0 and self.settling == 0 and self.indexed is not None

    def what_is_left(self) -> str:
        """Why it is not done, in words; empty if it is."""
        silent = [part for part, state in self.parts.items() if state != "up"]
        reasons = [
            f"ingest is {self.paused}" if self.paused else "",
            f"{', '.join(silent)} silent" if silent else "",
            f"the producer is {self.state}" if self.state not in ("watching", "silent") else "",
            f"{self.queued} files are queued" if self.queued else "",
            f"{self.settling} files are settling" if self.settling else "",
            f"{quoted(self.restless)} has been changing for {self.restless_s:.0f} s" if self.restless else "",
        ]
        return "; ".join(filter(None, reasons))


# The folders of a library change with a start of its system alone, and a status that is asked for every few seconds
# must not look at a disk that sleeps.
@lru_cache(maxsize=8)
def _name_of(library: LibraryAddress) -> str:
    return shown(library)


def read_status(
    settings: Settings,
    transport: Transport,
    report: SystemReport | None = None,
    counted: CountsReply | LookalikeError | None = None,
) -> Status:
    """The status now, or that of a report and of counts that are known. Parts that are silent are named.

    Raises Unreachable if the broker does not answer.
    """
    # In this order: a batch that left the queue is in the index before the index is counted, so no file is missed.
    report = report or transport.report()
    note, alive = report.producer, report.alive
    queued = note.held + report.queued
    found = count(transport, report) if counted is None else counted
    counts = found if isinstance(found, CountsReply) else None
    # The store answers but its index may not be used; a producer that runs reports that, too.
    refused = str(found) if isinstance(found, Misconfigured) else ""
    rate = report.rate_per_s
    left = None if counts is None else max(0, note.discovered - counts.indexed - counts.rejected)
    return Status(
        discovered=note.discovered,
        indexed=None if counts is None else counts.indexed,
        rejected=None if counts is None else counts.rejected,
        ignored=note.ignored,
        queued=queued,
        settling=note.settling,
        rate_per_s=round(rate, 2),
        # Nothing is finished during a pause, whatever the last minute's rate.
        eta_s=eta_s(left, 0.0 if report.pause else rate),
        embedded_total=report.embedded_total,
        state=note.state if alive["producer"] else "silent",
        warning=note.warning or refused or report.wait_reason or None,
        model=settings.model if counts is None else counts.model,
        distance=settings.distance if counts is None else counts.distance,
        backend=None if counts is None else counts.backend,
        precision=None if counts is None else counts.precision,
        threads=None if counts is None else counts.threads,
        redis_url=None if settings.redis_url is None else without_secret(broker_url(settings)),
        qdrant_url=None if settings.qdrant_url is None else without_secret(settings.qdrant_url),
        flower_url=settings.flower_url or note.flower_url or None,
        library=note.library or None if settings.library is None else _name_of(settings.library),
        parts={
            "broker": "up",
            # The store is asked through the search workers.
            "store": "up" if counts is not None or refused else "silent" if alive["search"] else "unknown",
            **{part: "up" if alive[part] else "silent" for part in BEATING_PARTS},
        },
        restless=note.restless or None,
        restless_s=round(note.restless_s, 1),
        watcher_lag_s=round(note.lag_s, 4),
        generation=None if counts is None else counts.generation,
        has_copies=None if counts is None else counts.has_copies,
        near=None if counts is None else counts.near,
        similar=None if counts is None else counts.similar,
        paused=None if report.pause is None else report.pause.in_words(),
        paused_until=None if report.pause is None else report.pause.until_unix_s,
        paused_by=None if report.pause is None else report.pause.by,
        web_url=settings.web_url,
        duplicate_groups=None if report.duplicates is None else report.duplicates.groups,
        duplicate_bytes=None if report.duplicates is None else report.duplicates.saved_bytes,
        reindex=_reindex_status(report.reindex),
        kept=None
        if report.kept is None
        else KeptGeneration(model=report.kept.model, distance=report.kept.distance, since=report.kept.kept_since),
    )


def eta_s(left: int | None, rate_per_s: float) -> float | None:
    """Seconds until `left` files are done at this rate; None at rate 0, 0 when nothing is left."""
    if left == 0:
        return 0.0
    if left is None or rate_per_s <= 0:
        return None
    return round(left / rate_per_s, 1)


def _reindex_status(found: Reindex | None) -> ReindexStatus | None:
    if found is None:
        return None
    return ReindexStatus(
        state=found.state,
        model=found.model,
        distance=found.distance,
        done=found.done,
        total=found.total,
        rate_per_s=round(found.rate_per_s, 2),
        eta_s=found.eta_s,
        why=found.why or None,
        order=found.order or None,
    )


def count(transport: Transport, report: SystemReport) -> CountsReply | LookalikeError | None:
    """How much is in the index, or why that cannot be told; None without a search worker, who would be asked."""
    if not report.alive["search"]:
        return None
    try:
        return IndexReader(transport).counts(timeout_s=COUNTS_S)
    except LookalikeError as error:
        return error
