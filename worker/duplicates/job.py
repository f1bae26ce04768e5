"""The job: reads what is new in the index, compares it with everything, and makes groups of all pairs that are kept."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike.duplicates.groups import LABELS, FileFacts, Group, Label
from lookalike.duplicates.plan import Keeping, saved_bytes
from lookalike.duplicates.verdicts import Verdicts, apply_verdicts
from lookalike.messages import DuplicatesMessage, DuplicatesReply
from worker.duplicates.candidates import nearest
from worker.duplicates.comparing import Comparing
from worker.duplicates.grouping import groups_of, is_under
from worker.duplicates.kept import Kept

READ_TOGETHER = 1000
# Searches of the store in one request.
ASKED_TOGETHER = 64

Columns = list[tuple[NDArray[np.intp], NDArray[np.float32]]]


class Index(Protocol):
    """What a job reads of the index (worker/duplicates/indexed.py)."""

    def files(self) -> Iterator[list[FileFacts]]:
        """All indexed files, a page at a time."""

    def contents(self, paths: Sequence[str]) -> list[tuple[str, NDArray[np.float32], bytes]]:
        """SHA-256, vector of norm 1 and small picture of the files that are there."""

    def nearest(self, vectors: NDArray[np.float32], limit: int) -> list[list[tuple[str, float]]]:
        """SHA-256 and cosine of the nearest of each vector, best first, perhaps not all of them."""


@dataclass(frozen=True)
class FindDuplicates:
    """One run over one index. `advance` is told how many contents of how many are compared, and may end the run.

    `verdicts` reads the verdicts on pairs.
    """

    indexed: Index
    kept: Kept
    comparing: Comparing
    max_candidates: int
    max_exact: int
    advance: Callable[[int, int], None] = lambda _done, _total: None
    before_block: Callable[[], None] = lambda: None
    verdicts: Callable[[], Verdicts] = Verdicts

    def run(self, message: DuplicatesMessage) -> tuple[DuplicatesReply, list[Group]]:
        """The groups, those with most bytes to save first, and what is told of them."""
        begun_s = time.monotonic()
        run = self.kept.run
        self._read()
        compared, approximate = self._compare()
        files = self.kept.files()
        since = self.kept.came_in(run) if message.since_last else None
        keeping = Keeping(verdicts=self.verdicts())
        pairs = apply_verdicts(self.kept.pairs(), keeping.verdicts)
        asked = [(saved_bytes(group, keeping), group) for group in _asked(groups_of(files, pairs), message, since)]
        asked.sort(key=lambda each: (-each[0], each[1].centre))
        groups = [group for _, group in asked]
        reply = DuplicatesReply(
            files=sum(map(len, files.values())),
            compared=compared,
            approximate=approximate,
            groups=len(groups),
            pairs=_counts(groups),
            saved_bytes=sum(saved for saved, _ in asked),
            took_s=round(time.monotonic() - begun_s, 3),
        )
        return reply, groups

    def _read(self) -> None:
        """Brings what is kept up to date with the index."""
        gone = self.kept.paths()
        for page in self.indexed.files():
            self.before_block()
            self.kept.write_files(page)
            gone.difference_update(file.path for file in page)
        self.kept.forget_files(gone)
        unknown = self.kept.unknown_contents()
        for start in range(0, len(unknown), READ_TOGETHER):
            self.before_block()
            self.advance(0, len(unknown))
            self.kept.write_contents(
                self.indexed.contents([path for _, path in unknown[start : start + READ_TOGETHER]])
            )

    def _compare(self) -> tuple[int, bool]:
        """Compares what is new with everything; how much that was, and whether some near ones may have been missed."""
        names, vectors, compared = self.kept.vectors()
        rows = np.flatnonzero(~compared)
        approximate = len(names) > self.max_exact
        blocks = (
            self._searched(names, vectors, rows)
            if approximate
            else nearest(vectors, rows, self.max_candidates, self.before_block)
        )
        seen: set[tuple[int, int]] = set()
        done = 0
        self.advance(done, len(rows))
        for block, found in blocks:
            self.before_block()
            pairs = []
            for row, (columns, _) in zip(block.tolist(), found, strict=True):
                for column in columns.tolist():
                    if (column, row) in seen:
                        continue
                    if not compared[column]:
                        seen.add((row, column))
                    pair = self.comparing.compare(names[row], names[column], _cosine(vectors, row, column))
                    if pair is not None:
                        pairs.append(pair)
                done += 1
                self.advance(done, len(rows))
            self.kept.write_compared([names[row] for row in block.tolist()], pairs)
        return len(rows), approximate

    def _searched(
        self, names: list[str], vectors: NDArray[np.float16], rows: NDArray[np.intp]
    ) -> Iterator[tuple[NDArray[np.intp], Columns]]:
        """The same by searches of the store, whose index of many vectors is approximate."""
        at = {name: number for number, name in enumerate(names)}
        for start in range(0, len(rows), ASKED_TOGETHER):
            block = rows[start : start + ASKED_TOGETHER]
            answers = self.indexed.nearest(vectors[block].astype(np.float32), self.max_candidates + 1)
            found: Columns = []
            for row, answer in zip(block.tolist(), answers, strict=True):
                known = {at[name]: score for name, score in answer if name in at and at[name] != row}
                found.append(
                    (np.fromiter(known, np.intp, len(known)), np.fromiter(known.values(), np.float32, len(known)))
                )
            yield block, found


def _cosine(vectors: NDArray[np.float16], row: int, column: int) -> float:
    """Of two rows alone: a product of blocks rounds otherwise for other blocks."""
    first, second = sorted((row, column))
    return float(vectors[first].astype(np.float32) @ vectors[second].astype(np.float32))


def _asked(groups: Iterable[Group], message: DuplicatesMessage, since: set[str] | None) -> Iterator[Group]:
    """Those of the labels, with a file in the folder and a content that is new, if these were asked for."""
    labels = frozenset(message.labels)
    for group in groups:
        if labels.isdisjoint(pair.label for pair in group.pairs):
            continue
        if message.folder is not None and not any(is_under(path, message.folder) for path in group.paths):
            continue
        if since is None or any(file.sha256 in since for file in group.files):
            yield group


def _counts(groups: Iterable[Group]) -> dict[Label, int]:
    counts: dict[Label, int] = dict.fromkeys(LABELS, 0)
    for group in groups:
        for pair in group.pairs:
            counts[pair.label] += 1
    return counts
