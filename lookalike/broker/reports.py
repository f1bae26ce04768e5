"""What the parts of a system say of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from lookalike.broker.generations import Generation, Reindex
from lookalike.broker.pause import Pause
from lookalike.messages import DuplicatesReply


@dataclass(frozen=True)
class ProducerReport:
    """The producer's report. Counts are files."""

    discovered: int = 0
    ignored: int = 0
    settling: int = 0
    # Paths that are known to need a look and wait in the producer because the queue is long.
    held: int = 0
    # "counting" and "comparing" while a scan runs, "watching" after it, "offline" without a library.
    state: str = "starting"
    # Unix time at which the last whole scan ended; 0.0 before the first.
    scan_ended_at: float = 0.0
    # "inotify" or "polling".
    watching: str = ""
    # The file that has been changing for the longest, as messages have it, and for how many seconds; empty if none.
    restless: str = ""
    restless_s: float = 0.0
    # What a person should know and do, empty if nothing.
    warning: str = ""
    # Seconds that the oldest event of the watcher has waited for the event loop.
    lag_s: float = 0.0
    # Since the producer started: whole scans, and what they found to differ between library and index.
    scans: int = 0
    scan_changed: int = 0
    scan_moved: int = 0
    scan_removed: int = 0
    scan_left_out: int = 0
    # The library's folder where the producer runs, and where Flower is if it was told.
    library: str = ""
    flower_url: str = ""


@dataclass(frozen=True)
class SystemReport:
    """What the parts of a system say of themselves, read at one time; `alive` counts the processes of each part."""

    producer: ProducerReport
    alive: Mapping[str, int]
    queued: int
    rate_per_s: float
    embedded_total: int
    wait_reason: str
    pause: Pause | None = None
    # Of the last job for duplicates over the whole library.
    duplicates: DuplicatesReply | None = None
    reindex: Reindex | None = None
    kept: Generation | None = None
    # Since when the store does not answer, as workers found that look once in a while; empty if it does.
    away_since: str = ""


def producer_report(found: Mapping[bytes, bytes]) -> ProducerReport:
    """The producer's report as its hash has it; fields of another version are left out."""
    kept = {name.decode(): value.decode() for name, value in found.items()}
    kinds: dict[str, type] = {field.name: type(field.default) for field in fields(ProducerReport)}
    return ProducerReport(**{name: kinds[name](value) for name, value in kept.items() if name in kinds})
