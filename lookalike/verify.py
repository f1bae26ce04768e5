"""The library against the index: what is lost, left over or out of date. Changes nothing, keeps little in memory."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lookalike.bounds import MAX_MESSAGE_PATHS
from lookalike.errors import Refused
from lookalike.library.folder import FileEntry, FolderLibrary
from lookalike.library.paths import escape_path, is_utf8
from lookalike.messages import KnownFile
from lookalike.neighbour import Neighbour

# The producer tells once a second how it stands: only what holds longer than that is known to be so.
CALM_S = 1.5
# What two embeddings of the same bytes have in common at least: rounding in the store costs less.
SAME = 0.9999


class Index(Protocol):
    """What is asked. All of it raises LookalikeError."""

    def files(self) -> Iterator[KnownFile]:
        """Every file in the index."""

    def known(self, paths: list[str]) -> dict[str, KnownFile]:
        """What is known of these, at most 1,000, by path."""

    def is_at_rest(self) -> bool:
        """Whether the system says that nothing is left to do."""

    def nearest(self, blob: bytes) -> list[Neighbour]:
        """Neighbours of an image that is embedded as it is, best first. Raises Refused."""


@dataclass
class Files:
    """Files of one kind: all are counted, as many as fit into one message are known by name."""

    count: int = 0
    paths: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Takes one more: by its name on the disk if it was found there, by that in the index if it was found there."""
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
        """Files that are lost, ghosts or stale, or may be on their way to be right."""
        return self.lost.count + self.ghosts.count + self.stale.count

    @property
    def is_broken(self) -> bool:
        """Whether something is not as it should be."""
        return self.wrong.count > 0 or (self.is_at_rest and self.differing > 0)

    def numbers(self) -> dict[str, int]:
        """Counts by kind; what differs while something is left to do is pending and nothing worse."""
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

    disk: FolderLibrary
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
        sample = self._left_over(found)
        self._left_out(found)
        if found.differing:
            self.sleep(CALM_S)
        found.is_at_rest = found.is_at_rest and self.index.is_at_rest()
        if found.is_at_rest:
            self._look_again(found)
        for file in sample:
            self._embed_again(file, found)
            self.advance(1)
        return found

    def _left_over(self, found: Comparison) -> list[KnownFile]:
        """Finds ghosts. Returns a sample of what is indexed, each file as likely as the next (Vitter 1985, R)."""
        sample: list[KnownFile] = []
        seen = 0
        for file in self.index.files():
            self.advance(1)
            found.rejected += file.status == "rejected"
            if self.disk.is_gone(self.disk.raw(file.path)):
                found.ghosts.add(file.path)
            elif self.deep and file.status == "indexed" and file.size_bytes <= self.max_query_bytes:
                seen += 1
                if len(sample) < self.deep:
                    sample.append(file)
                elif (at := self.chance.randrange(seen)) < self.deep:
                    sample[at] = file
        return sample

    def _left_out(self, found: Comparison) -> None:
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
            elif is_utf8(file.path) and file.stamp.looks != _looks_of(entry) and not _is_tried_again(entry):
                found.stale.add(file.path)

    def _look_again(self, found: Comparison) -> None:
        """Drops what was changed under our eyes: it was put right since, or it would not be at rest."""
        if 0 < found.lost.count + found.stale.count <= MAX_MESSAGE_PATHS:
            paths = [*found.lost.paths, *found.stale.paths]
            found.lost, found.stale = Files(), Files()
            files = [FileEntry(path, stamp) for path in paths if (stamp := self.disk.look(path)) is not None]
            self._compare(files, found)
        if 0 < found.ghosts.count <= MAX_MESSAGE_PATHS:
            paths, found.ghosts = found.ghosts.paths, Files()
            for path in self.index.known(paths):
                if self.disk.is_gone(self.disk.raw(path)):
                    found.ghosts.add(path)

    def _embed_again(self, file: KnownFile, found: Comparison) -> None:
        """Searches with the file's own bytes: the best neighbour must be the file itself, at no distance."""
        try:
            blob = Path(self.disk.root, self.disk.raw(file.path)).read_bytes()
        except OSError:
            # It left, which is for the next comparison to say.
            return
        try:
            neighbours = self.index.nearest(blob)
            # Among very many copies it may be missing; then all that came must be as near as it should be.
            itself = [neighbour for neighbour in neighbours if neighbour.path == file.path] or neighbours
            is_same = bool(itself) and all(neighbour.similarity >= SAME for neighbour in itself)
        except Refused:
            # It was embedded once and cannot be any more.
            is_same = False
        now = self.disk.look(self.disk.raw(file.path))
        if now is not None and now.looks == _looks_of(file):
            found.checked += 1
            if not is_same:
                found.wrong.add(file.path)


def _looks_of(file: KnownFile) -> tuple[int, int]:
    return file.size_bytes, file.mtime_ns


def _is_tried_again(file: KnownFile) -> bool:
    """Whether it was rejected for what may pass, a missing permission: each scan looks at it anew."""
    return file.status == "rejected" and file.mtime_ns < 0
