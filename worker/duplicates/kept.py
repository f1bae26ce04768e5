"""What a job for duplicates keeps on disk, so that a restart resumes and the next run looks at what is new alone.

One file of SQLite: files, contents with vector and small picture, and the pairs that were found. Each transaction
leaves it whole, a kill at any moment included.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.duplicates.groups import FileFacts, Label

# Raised when verdicts change: what was kept is looked at again.
REVISION = "1"
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, facts TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS files_by_content ON files (sha256);
CREATE TABLE IF NOT EXISTS contents (
    sha256 TEXT PRIMARY KEY, vector BLOB NOT NULL, small BLOB NOT NULL, run INTEGER NOT NULL, compared INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS uncompared ON contents (sha256) WHERE NOT compared;
CREATE TABLE IF NOT EXISTS pairs (
    a TEXT NOT NULL, b TEXT NOT NULL, label TEXT NOT NULL, similarity REAL NOT NULL, PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pairs_by_second ON pairs (b);
"""


@dataclass(frozen=True)
class ContentPair:
    """Two contents by SHA-256, the lesser first, and the verdict: same, near or similar."""

    a: str
    b: str
    label: Label
    similarity: float


class Kept:
    """The file, opened; made if it is missing. One job at a time writes to it."""

    def __init__(self, path: Path | None) -> None:
        self._database = sqlite3.connect(":memory:" if path is None else path)
        # A kill of the process loses nothing; one of the machine the last transactions, which are done again.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)

    def close(self) -> None:
        """Ends the connection."""
        self._database.close()

    def belong_to(self, index: str) -> None:
        """Forgets everything that was kept of another index or by another revision."""
        owner = f"{REVISION} {index}"
        if self._value("owner") != owner:
            with self._database:
                for table in ("files", "contents", "pairs", "about"):
                    self._database.execute(f"DELETE FROM {table}")  # noqa: S608 (names of ours)
                self._set("owner", owner)

    @property
    def run(self) -> int:
        """The number of the run that is under way; one more after each that was finished."""
        return int(self._value("run") or 1)

    def finish_run(self) -> None:
        """The run is done."""
        with self._database:
            self._set("run", str(self.run + 1))

    def write_files(self, files: Sequence[FileFacts]) -> None:
        """Notes these files as they are now."""
        rows = [(file.path, file.sha256, file.model_dump_json()) for file in files]
        with self._database:
            self._database.executemany(
                "INSERT INTO files VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET sha256 = excluded.sha256, "
                "facts = excluded.facts WHERE facts IS NOT excluded.facts",
                rows,
            )

    def forget_files(self, paths: Iterable[str]) -> None:
        """Forgets files, contents that lie in no file any more, and their pairs."""
        with self._database:
            self._database.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
            self._database.execute("DELETE FROM contents WHERE sha256 NOT IN (SELECT sha256 FROM files)")
            for side in ("a", "b"):
                self._database.execute(f"DELETE FROM pairs WHERE {side} NOT IN (SELECT sha256 FROM contents)")  # noqa: S608

    def paths(self) -> set[str]:
        """The paths of all files."""
        return {path for (path,) in self._database.execute("SELECT path FROM files")}

    def unknown_contents(self) -> list[tuple[str, str]]:
        """SHA-256 and one path of each content that has no vector here yet."""
        return self._database.execute(
            "SELECT sha256, MIN(path) FROM files WHERE sha256 NOT IN (SELECT sha256 FROM contents) GROUP BY sha256"
        ).fetchall()

    def write_contents(self, contents: Iterable[tuple[str, NDArray[np.float32], bytes]]) -> None:
        """Adds contents: SHA-256, vector [d] and small picture."""
        rows = [(sha256, vector.astype(np.float16).tobytes(), small, self.run) for sha256, vector, small in contents]
        with self._database:
            self._database.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?, 0)", rows)

    def vectors(self) -> tuple[list[str], NDArray[np.float16], NDArray[np.bool_]]:
        """Of all contents in order: SHA-256 [n], vector [n, d], whether it was compared with all others [n]."""
        (count,) = self._database.execute("SELECT COUNT(*) FROM contents").fetchone()
        names: list[str] = []
        compared = np.zeros(count, bool)
        vectors: NDArray[np.float16] | None = None
        rows = self._database.execute("SELECT sha256, vector, compared FROM contents ORDER BY sha256")
        for at, (name, vector, is_compared) in enumerate(rows):
            found = np.frombuffer(vector, np.float16)
            if vectors is None:
                vectors = np.empty((count, found.size), np.float16)
            names.append(name)
            vectors[at], compared[at] = found, bool(is_compared)
        return names, np.empty((0, 1), np.float16) if vectors is None else vectors, compared

    def small(self, sha256: str) -> bytes:
        """The small picture of a content."""
        (found,) = self._database.execute("SELECT small FROM contents WHERE sha256 = ?", (sha256,)).fetchone()
        return bytes(found)

    def write_compared(self, contents: Iterable[str], pairs: Iterable[ContentPair]) -> None:
        """These contents have been compared with all others, and these pairs were found."""
        with self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)",
                [(pair.a, pair.b, pair.label, pair.similarity) for pair in pairs],
            )
            self._database.executemany(
                "UPDATE contents SET compared = 1 WHERE sha256 = ?", [(one,) for one in contents]
            )

    def pairs(self) -> Iterator[ContentPair]:
        """All pairs that were found, in order."""
        for row in self._database.execute("SELECT a, b, label, similarity FROM pairs ORDER BY a, b"):
            yield ContentPair(*row)

    def files(self) -> Mapping[str, list[FileFacts]]:
        """All files by content, in order of their paths."""
        found: dict[str, list[FileFacts]] = {}
        for sha256, facts in self._database.execute("SELECT sha256, facts FROM files ORDER BY path"):
            found.setdefault(sha256, []).append(FileFacts.model_construct(**json.loads(facts)))
        return found

    def one_file(self, sha256: str) -> FileFacts:
        """A file of that content, the first by its path."""
        (facts,) = self._database.execute(
            "SELECT facts FROM files WHERE sha256 = ? ORDER BY path LIMIT 1", (sha256,)
        ).fetchone()
        return FileFacts.model_construct(**json.loads(facts))

    def came_in(self, run: int) -> set[str]:
        """The contents that are new since the run before that one."""
        return {one for (one,) in self._database.execute("SELECT sha256 FROM contents WHERE run >= ?", (run,))}

    def _value(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _set(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))
