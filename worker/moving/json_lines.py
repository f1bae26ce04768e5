"""JSON lines: the header, a line for each row, a line for each verdict. Large, and readable by anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lookalike.errors import Refused
from worker.index.payload import point_id
from worker.index.points import PointWrite
from worker.moving.header import Header
from worker.moving.rows import (
    PATH_NAMES,
    VECTOR_NAMES,
    Rows,
    Verdicts,
    as_base64,
    exact_name,
    foreign_row,
    in_pages,
    row_of,
)

HEADER, VERDICT = "lookalike", "verdict"


class JsonLinesWriter:
    """Writes {"lookalike": HEADER}, then rows {"id", "path", "embedding", ..., "payload"}, then {"verdict": ...}."""

    def __init__(self, path: Path, header: Header) -> None:
        self._vectors = header.identity.vectors
        self._stream = path.open("w", encoding="utf-8")
        self._stream.write(f'{{"{HEADER}": {header.to_json()}}}\n')

    def add(self, rows: Rows) -> None:
        """Appends rows."""
        self._stream.writelines(f"{json.dumps(self._line(row))}\n" for row in rows)

    def close(self, verdicts: Verdicts) -> None:
        """Writes the verdicts and closes the file."""
        self._stream.writelines(f'{{"{VERDICT}": {verdict}}}\n' for verdict in verdicts)
        self._stream.close()

    def abandon(self) -> None:
        """Closes the file."""
        self._stream.close()

    def _line(self, row: PointWrite) -> dict[str, Any]:
        path = row.payload["path"]
        name = exact_name(path)
        vectors = row.vectors or {}
        return {
            "id": point_id(path),
            "path": path,
            **({} if name is None else {"name_base64": as_base64(name)}),
            **{by: vectors.get(by) for by in self._vectors},
            "payload": row.payload,
        }


class JsonLinesReader:
    """Reads them, and of other people's lines with a path and a vector. Raises Refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._verdicts: list[str] = []
        with path.open("rb") as stream:
            first = self._object(stream.readline(), 1)
        self.header = Header.from_json(json.dumps(first[HEADER]), path) if HEADER in first else None
        self.count = 0 if self.header is None else self.header.points

    def pages(self) -> Iterator[Rows]:
        """All rows, in pages."""
        return in_pages(self._rows())

    def verdicts(self) -> Verdicts:
        """Those that were passed while the rows were read."""
        return self._verdicts

    def _rows(self) -> Iterator[PointWrite]:
        self._verdicts.clear()
        with self._path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                found = self._object(line, number)
                if HEADER in found:
                    continue
                if VERDICT in found:
                    self._verdicts.append(json.dumps(found[VERDICT], ensure_ascii=False))
                else:
                    yield self._row(found, f"line {number} of {self._path}")

    def _row(self, found: dict[str, Any], where: str) -> PointWrite:
        if self.header is None:
            path = next((found[name] for name in PATH_NAMES if name in found), None)
            return foreign_row(path, next((found[name] for name in VECTOR_NAMES if name in found), None), where)
        payload = found.get("payload")
        if not isinstance(payload, dict) or "path" not in payload:
            raise Refused(f"There is no payload with a path in {where}: export it again.")
        return row_of(payload, {by: found.get(by) for by in self.header.identity.vectors})

    def _object(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError as error:
            raise Refused(f"Line {number} of {self._path} is no JSON ({error}): export it again.") from error
        if not isinstance(found, dict):
            raise Refused(f"Line {number} of {self._path} is no JSON object: export it again.")
        return found
