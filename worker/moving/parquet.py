"""Parquet, for programs that work with tables: a row group for each page, the header and verdicts in its metadata."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lookalike.errors import Refused
from worker.index.payload import point_id
from worker.moving.header import Header
from worker.moving.rows import PAGE_ROWS, PATH_NAMES, VECTOR_NAMES, Rows, Verdicts, exact_name, foreign_row, row_of

HEADER, VERDICTS = b"lookalike", b"verdicts"
# Rows of a group: small ones cost a footer, large ones memory.
GROUP_ROWS = 8 * PAGE_ROWS


class ParquetWriter:
    """Columns: id, path, name (bytes, where the path is escaped), a vector for each output, payload (JSON)."""

    def __init__(self, path: Path, header: Header) -> None:
        self._header = header
        self._vectors = header.identity.vectors
        lists = [pa.field(by, pa.list_(pa.float32(), header.dimensions[by])) for by in self._vectors]
        self._schema = pa.schema(
            [
                pa.field("id", pa.string(), nullable=False),
                pa.field("path", pa.string(), nullable=False),
                pa.field("name", pa.binary()),
                *lists,
                pa.field("payload", pa.string(), nullable=False),
            ],
            metadata={HEADER: header.to_json().encode()},
        )
        # Each value stands once: a dictionary would only be a copy.
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=False)
        self._rows: list[Any] = []

    def add(self, rows: Rows) -> None:
        """Appends rows."""
        self._rows += rows
        if len(self._rows) >= GROUP_ROWS:
            self._write()

    def close(self, verdicts: Verdicts) -> None:
        """Writes the last rows and the verdicts."""
        self._write()
        if verdicts:
            self._writer.add_key_value_metadata({VERDICTS: "\n".join(verdicts).encode()})
        self._writer.close()

    def abandon(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        paths = [row.payload["path"] for row in rows]
        columns: list[Any] = [
            pa.array([point_id(path) for path in paths], pa.string()),
            pa.array(paths, pa.string()),
            pa.array([exact_name(path) for path in paths], pa.binary()),
            *(self._column(rows, number) for number in range(len(self._vectors))),
            pa.array([json.dumps(row.payload, ensure_ascii=False) for row in rows], pa.string()),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def _column(self, rows: Rows, number: int) -> Any:
        by = self._vectors[number]
        size = self._header.dimensions[by]
        found = np.zeros((len(rows), size), np.float32)
        for at, row in enumerate(rows):
            if row.vectors:
                found[at] = row.vectors[by]
        missing = pa.array([not row.vectors for row in rows])
        return pa.FixedSizeListArray.from_arrays(pa.array(found.reshape(-1)), size, mask=missing)


class ParquetReader:
    """Reads them, and of other people's tables a column of paths and one of vectors. Raises Refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise Refused(f"{path} is no Parquet file ({str(error).splitlines()[0]}).") from error
        self._metadata = self._file.metadata.metadata or {}
        found = self._metadata.get(HEADER)
        self.header = None if found is None else Header.from_json(found, path)
        self.count = self._file.metadata.num_rows

    def pages(self) -> Iterator[Rows]:
        """All rows, in pages."""
        names = self._file.schema_arrow.names
        if self.header is not None:
            vectors: dict[str, str] = {by: by for by in self.header.identity.vectors}
            texts = "payload"
        else:
            found = next((name for name in VECTOR_NAMES if name in names), None)
            texts = next((name for name in PATH_NAMES if name in names), "")
            if found is None or not texts:
                raise Refused(f"{self._path} has the columns {', '.join(names)}: `path` and `vector` are needed.")
            vectors = {"embedding": found}
        wanted = [texts, *vectors.values()]
        if missing := [name for name in wanted if name not in names]:
            raise Refused(f"{self._path} lacks the columns {', '.join(missing)}: export it again.")
        try:
            for batch in self._file.iter_batches(PAGE_ROWS, columns=wanted):
                yield self._page(batch, texts, vectors)
        except (pa.ArrowException, ValueError) as error:
            raise Refused(f"{self._path} is damaged ({str(error).splitlines()[0]}).") from error

    def verdicts(self) -> Verdicts:
        """The verdicts."""
        found: bytes = self._metadata.get(VERDICTS, b"")
        return found.decode().splitlines()

    def _page(self, batch: Any, texts: str, vectors: dict[str, str]) -> Rows:
        columns = {by: batch.column(name).to_pylist() for by, name in vectors.items()}
        rows = []
        for at, text in enumerate(batch.column(texts).to_pylist()):
            if self.header is None:
                rows.append(foreign_row(text, columns["embedding"][at], self._path))
            else:
                rows.append(row_of(json.loads(text), {by: columns[by][at] for by in self.header.identity.vectors}))
        return rows
