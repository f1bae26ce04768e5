"""Copies an index from one store to another, compares the two, and lets the alias there name the copy.

Both may be used meanwhile. Each pass copies what differs, until one finds no difference, so a copy that was cut off
goes on where it was; what changes after the last pass is found by the scan with which a system starts.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from qdrant_client.models import PointIdsList, Record, SearchParams

from lookalike.errors import Refused
from lookalike.search.query import By
from worker.index.payload import VECTORS
from worker.index.points import vector_in
from worker.index.qdrant import call_store
from worker.moving.collections import OwnCollection, patiently
from worker.moving.export import Tell
from worker.moving.filling import write
from worker.moving.target import Target

# A system at work changes some points during each pass.
MOST_PASSES = 5
SAMPLE_POINTS = 200
SAMPLE_SEARCHES = 20
NEIGHBOURS = 10
# A store that normalises does so again; in float32 that changes the last digits.
SAME = 1e-5


@dataclass
class Migrated:
    """What was copied and compared. `points` are those of the copy."""

    points: int = 0
    written: int = 0
    removed: int = 0
    vectors_compared: int = 0
    searches_compared: int = 0


@dataclass
class Migration:
    """From a collection to a target."""

    source: OwnCollection
    target: Target
    tell: Tell = lambda _done, _of: None
    chance: random.Random = field(default_factory=random.Random)

    def run(self) -> Migrated:
        """Copies, compares and promotes. Raises Refused, CollectionMismatch, Unavailable, StoreRefused."""
        copy, done = self.target.open(), Migrated()
        for _ in range(MOST_PASSES):
            sample = self._pass(copy, done)
            if sample is not None:
                break
        else:
            raise Refused(
                "The index changes faster than it is copied: `lookalike pause` it and migrate again, which goes on "
                "from here."
            )
        done.points = copy.count()
        self._compare_vectors(copy, sample, done)
        self._compare_searches(copy, sample[:SAMPLE_SEARCHES], done)
        self.target.promote()
        return done

    def _pass(self, copy: OwnCollection, done: Migrated) -> Sequence[str] | None:
        """Copies all that differs, payloads included. Returns a sample of ids if nothing did, else None."""
        total, seen, changed = self.source.count(), 0, 0
        sample: list[str] = []
        for records in self.source.records(with_vectors=False):
            changed += self._copy(copy, records, done)
            for record in records:
                seen += 1
                # Each as likely as the next (Vitter 1985, algorithm R).
                if len(sample) < SAMPLE_POINTS:
                    sample.append(str(record.id))
                elif (at := self.chance.randrange(seen)) < SAMPLE_POINTS:
                    sample[at] = str(record.id)
            self.tell(seen, max(seen, total))
        changed += self._remove(copy, done)
        return None if changed else sample

    def _copy(self, copy: OwnCollection, records: Sequence[Record], done: Migrated) -> int:
        there = copy.retrieve([str(record.id) for record in records], with_vectors=False)
        differing = [
            str(record.id)
            for record in records
            if str(record.id) not in there or there[str(record.id)].payload != record.payload
        ]
        rows = [self.source.row(record) for record in self.source.retrieve(differing, with_vectors=True).values()]
        write(self.target.index, rows)
        done.written += len(rows)
        return len(rows)

    def _remove(self, copy: OwnCollection, done: Migrated) -> int:
        """Removes from the copy what the source has no more."""
        gone: list[str] = []
        for records in copy.records(with_vectors=False):
            ids = [str(record.id) for record in records]
            there = self.source.retrieve(ids, with_vectors=False)
            gone += [point for point in ids if point not in there]
        if gone:
            selected = PointIdsList(points=list(gone))
            patiently(lambda: call_store(copy.client.delete, copy.name, points_selector=selected, wait=True))
        done.removed += len(gone)
        return len(gone)

    def _compare_vectors(self, copy: OwnCollection, sample: Sequence[str], done: Migrated) -> None:
        ours = self.source.retrieve(sample, with_vectors=True)
        theirs = copy.retrieve(sample, with_vectors=True)
        for point in ours.keys() & theirs.keys():
            for by in self.source.identity.vectors:
                vector = vector_in(ours[point], by)
                if not _is_same(vector, vector_in(theirs[point], by)):
                    raise _differs(f"the vector of {(ours[point].payload or {}).get('path')!r}")
                done.vectors_compared += vector is not None

    def _compare_searches(self, copy: OwnCollection, sample: Sequence[str], done: Migrated) -> None:
        for record in self.source.retrieve(sample, with_vectors=True).values():
            for by, vector in (self.source.row(record).vectors or {}).items():
                ours, theirs = (_scores(one, by, list(vector)) for one in (self.source, copy))
                if not _is_same(ours, theirs):
                    raise _differs(f"a search for {(record.payload or {}).get('path')!r}")
                done.searches_compared += 1


def _scores(collection: OwnCollection, by: By, vector: list[float]) -> list[float]:
    """Of the nearest, by exact search: each store builds its own HNSW graph, which may miss another neighbour."""
    found = patiently(
        lambda: (
            call_store(
                collection.client.query_points,
                collection.name,
                query=vector,
                using=VECTORS[by],
                limit=NEIGHBOURS,
                search_params=SearchParams(exact=True),
                with_payload=False,
            ).points
        )
    )
    return [point.score for point in found]


def _is_same(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        abs(a - b) <= SAME * max(1.0, abs(a)) for a, b in zip(one, other, strict=True)
    )


def _differs(what: str) -> Refused:
    return Refused(
        f"The copy is not like the index: {what} differs. Remove the copy and migrate again; while files change, "
        "`lookalike pause` first."
    )
