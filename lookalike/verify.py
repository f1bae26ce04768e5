"""Compares the library with the index: lost, ghost and stale entries. Changes nothing, keeps little in memory."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lookalike.errors import Refused
from lookalike.library.folder import FileEntry
from lookalike.library.kinds import Library
from lookalike.library.paths import escape_path, is_utf8
from lookalike.library.version import NO_VERSION, move_key
from lookalike.messages import MAX_MESSAGE_PATHS, KnownFile
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import By

# The producer reports once a second: only a state that lasts longer is known to be so.
REPORT_WAIT_S = 1.5
# Least similarity of two embeddings of the same bytes: rounding in the store costs less.
SAME = 0.9999


class Index(Protocol):
    """The index as seen through the client. All methods raise LookalikeError."""

    @property
    def vectors(self) -> Sequence[By]:
        """Those that each indexed file has."""

    def files(self) -> Iterator[KnownFile]:
        """Every file in the index."""

    def known(self, paths: list[str]) -> dict[str, KnownFile]:
        """What is known of these, at most 1,000, by path."""

    def is_at_rest(self) -> bool:
        """Whether the system reports that nothing is left to do."""

    def nearest(self, blob: bytes, by: By) -> Sequence[Neighbour]:
        """Neighbours, by one of the vectors, of an image that is embedded as it is, best first. Raises Refused."""


@dataclass
class Files:
    """Files of one kind: all are counted, as many as fit into one message are known by name."""

    count: int = 0
    paths: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Counts one more file, by its name on the disk or its path in the index, wherever it was found."""
        self.count += 1
        if len(self.paths) < MAX_MESSAGE_PATHS:
            self.paths.append(path)


@dataclass
class Comparison:
    """How library and index differ. `wrong` are files whose vector is not that of their content."""

    lost: Files = field(default_factory=Files)
    ghosts: Files = field(default_factory=Files)
    stale: Files = field(default_factory=Files)
    wrong: Files = field(default_factory=Files)
    rejected: int = 0
    # How many files were embedded again.
    checked: int = 0
    # Whether nothing was left to do meanwhile, so that every difference is one.
    is_at_rest: bool = False

    @property
    def differing(self) -> int:
        """Files that are lost, ghosts or stale, also those that the system may still put right."""
        return self.lost.count + self.ghosts.count + self.stale.count

    @property
    def is_broken(self) -> bool:
        """Whether something is not as it should be."""
        return self.wrong.count > 0 or (self.is_at_rest and self.differing > 0)

    def numbers(self) -> dict[str, int]:
        """Counts by kind; while the system has work left, what differs is only pending."""
        final = self.is_at_rest
        return {
            "lost": self.lost.count * final,
            "ghosts": self.ghosts.count * final,
            "stale": self.stale.count * final,
            "rejected": self.rejected,
            "pending": 0 if final else self.differing,
        }


@dataclass
class Verification:
    """Compares; `advance` is called with the number of files that were looked at since."""

    disk: Library
    index: Index
    deep: int = 0
    # Larger files are not embedded again.
    max_query_bytes: int = 32 * 2**20
    advance: Callable[[int], None] = lambda _: None
    chance: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Comparison:
        """What differs. Raises LookalikeError."""
        found = Comparison(is_at_rest=self.index.is_at_rest())
        sample = self._find_ghosts(found)
        self._find_lost_and_stale(found)
        if found.differing:
            self.sleep(REPORT_WAIT_S)
        found.is_at_rest = found.is_at_rest and self.index.is_at_rest()
        if found.is_at_rest:
            self._compare_again(found)
        for file in sample:
            self._embed_again(file, found)
            self.advance(1)
        return found

    def _find_ghosts(self, found: Comparison) -> list[KnownFile]:
        """Finds ghosts. Returns a sample of what is indexed, each file as likely as the next (Vitter 1985, R)."""
        sample: list[KnownFile] = []
        seen = 0
        self.disk.remember_listing()
        for file in self.index.files():
            self.advance(1)
            found.rejected += file.status == "rejected"
            if self._is_ghost(file.path):
                found.ghosts.add(file.path)
            elif self.deep and file.status == "indexed" and file.size_bytes <= self.max_query_bytes:
                seen += 1
                if len(sample) < self.deep:
                    sample.append(file)
                elif (at := self.chance.randrange(seen)) < self.deep:
                    sample[at] = file
        return sample

    def _is_ghost(self, path: str) -> bool:
        """Whether the library has no file of this name, or the rules leave it out."""
        name = self.disk.unescape(path)
        return self.disk.is_missing(name) or not self.disk.candidates.is_candidate(name)

    def _find_lost_and_stale(self, found: Comparison) -> None:
        """Finds what is lost or stale."""
        files = self.disk.files()
        while chunk := list(itertools.islice(files, MAX_MESSAGE_PATHS)):
            self._compare(chunk, found)
            self.advance(len(chunk))

    def _compare(self, files: list[FileEntry], found: Comparison) -> None:
        known = self.index.known([escape_path(file.path) for file in files])
        for file in files:
            entry = known.get(escape_path(file.path))
            if entry is None:
                found.lost.add(file.path)
            elif is_utf8(file.path) and not _is_tried_again(entry) and not _has_the_same_bytes(file, entry):
                found.stale.add(file.path)

    def _compare_again(self, found: Comparison) -> None:
        """Drops what changed during the comparison: a system at rest has put it right since."""
        if 0 < found.lost.count + found.stale.count <= MAX_MESSAGE_PATHS:
            paths = [*found.lost.paths, *found.stale.paths]
            found.lost, found.stale = Files(), Files()
            files = [FileEntry(path, version) for path in paths if (version := self.disk.stat(path)) is not None]
            self._compare(files, found)
        if 0 < found.ghosts.count <= MAX_MESSAGE_PATHS:
            paths, found.ghosts = found.ghosts.paths, Files()
            for path in self.index.known(paths):
                if self._is_ghost(path):
                    found.ghosts.add(path)

    def _embed_again(self, file: KnownFile, found: Comparison) -> None:
        """Searches with the file's own bytes: by each vector the best neighbour is the file itself, at no distance."""
        blob = self.disk.read(self.disk.unescape(file.path), self.max_query_bytes)
        if blob is None:
            # The file is gone or larger, which the next comparison reports.
            return
        try:
            is_same = all(_is_nearest(file.path, self.index.nearest(blob, by)) for by in self.index.vectors)
        except Refused:
            # It was embedded once and cannot be any more.
            is_same = False
        now = self.disk.stat(self.disk.unescape(file.path))
        if now is not None and move_key(now) == move_key(file.file_version):
            found.checked += 1
            if not is_same:
                found.wrong.add(file.path)


def _is_nearest(path: str, neighbours: Sequence[Neighbour]) -> bool:
    """Whether the file was found at no distance."""
    # Among very many copies it may be missing; then all that came must be as near as it should be.
    itself = [neighbour for neighbour in neighbours if neighbour.path == path] or neighbours
    return bool(itself) and all(neighbour.similarity >= SAME for neighbour in itself)


def _is_tried_again(file: KnownFile) -> bool:
    """Whether it was rejected for what may pass, a missing permission: each scan checks it again."""
    return file.status == "rejected" and file.version == NO_VERSION.token


def _has_the_same_bytes(file: FileEntry, entry: KnownFile) -> bool:
    """As far as a move would tell. Another name of a hard link changes the token, and no event tells of it."""
    return move_key(file.version) == move_key(entry.file_version)
