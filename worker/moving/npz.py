"""NumPy's archive, for programs that have NumPy alone: one array for each column, written and read in pieces.

lookalike           the header, JSON in UTF-8
ids, paths, names   [n] bytes: point ids, paths of the index in UTF-8, exact names of the files
payloads            [n] bytes: JSON in UTF-8
embedding, copy     float32 [n, D], a row of NaN for a file that was rejected
verdicts            [m] bytes: JSON in UTF-8

Text is fixed-width bytes, because `numpy.load` opens them without pickle and they take a quarter of its Unicode.
"""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from lookalike.errors import Refused
from lookalike.library.paths import unescape_path
from worker.index.payload import point_id
from worker.index.points import PointWrite
from worker.moving.header import Header
from worker.moving.rows import PAGE_ROWS, PATH_NAMES, VECTOR_NAMES, Rows, Verdicts, foreign_row, in_pages, row_of

HEADER, VERDICTS = "lookalike", "verdicts"
TEXTS = ("ids", "paths", "names", "payloads")
CHUNK_BYTES = 2**20


class NpzWriter:
    """Writes the columns into files of their own first: an array's length stands before it."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path, self._header = path, header
        self._folder = path.with_name(f"{path.name}.columns")
        # Of an export that was killed.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._columns = {name: _Text(self._folder / name) for name in TEXTS}
        self._vectors = {by: (self._folder / by).open("w+b") for by in header.identity.vectors}
        self._rows = 0

    def add(self, rows: Rows) -> None:
        """Appends rows."""
        for row in rows:
            path = row.payload["path"]
            self._columns["ids"].add(point_id(path).encode())
            self._columns["paths"].add(path.encode())
            self._columns["names"].add(os.fsencode(unescape_path(path)))
            self._columns["payloads"].add(json.dumps(row.payload, ensure_ascii=False).encode())
        for by, stream in self._vectors.items():
            nothing = [np.nan] * self._header.dimensions[by]
            stream.write(np.array([(row.vectors or {}).get(by, nothing) for row in rows], np.dtype("<f4")).tobytes())
        self._rows += len(rows)

    def close(self, verdicts: Verdicts) -> None:
        """Joins the columns into the archive."""
        with zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            _write_small(archive, HEADER, np.array(self._header.to_json().encode()))
            for name, column in self._columns.items():
                column.write_to(archive, name)
            for by, stream in self._vectors.items():
                shape = (self._rows, self._header.dimensions[by])
                with _member(archive, by, np.dtype("<f4"), shape) as member:
                    stream.seek(0)
                    while chunk := stream.read(CHUNK_BYTES):
                        member.write(chunk)
            _write_small(archive, VERDICTS, np.array([line.encode() for line in verdicts], dtype=np.bytes_))
        self.abandon()

    def abandon(self) -> None:
        """Closes and removes the columns."""
        for stream in (*(column.stream for column in self._columns.values()), *self._vectors.values()):
            stream.close()
        shutil.rmtree(self._folder)


class NpzReader:
    """Reads them, and of other people's archives one array of paths and one of vectors. Raises Refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self._names = {name.removesuffix(".npy"): name for name in self._archive.namelist()}
            self.header = None if HEADER not in self._names else self._read_header()
            self.count = 0 if self.header is None else self.header.points
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise Refused(f"{path} is no archive that NumPy wrote ({error}).") from error

    def pages(self) -> Iterator[Rows]:
        """All rows, in pages."""
        return in_pages(self._rows())

    def verdicts(self) -> Verdicts:
        """The verdicts."""
        return [line.decode() for line in self._small(VERDICTS).tolist()] if VERDICTS in self._names else []

    def _rows(self) -> Iterator[PointWrite]:
        try:
            yield from self._foreign_rows() if self.header is None else self._own_rows(self.header)
        except (zipfile.BadZipFile, ValueError, EOFError, KeyError) as error:
            raise Refused(f"{self._path} is damaged ({error}).") from error

    def _own_rows(self, header: Header) -> Iterator[PointWrite]:
        vectors = header.identity.vectors
        for payload, *found in self._together("payloads", *vectors):
            yield row_of(json.loads(payload), dict(zip(vectors, map(_listed, found), strict=True)))

    def _foreign_rows(self) -> Iterator[PointWrite]:
        paths = next((name for name in PATH_NAMES if name in self._names), None)
        vectors = next((name for name in VECTOR_NAMES if name in self._names), None)
        if paths is None or vectors is None:
            raise Refused(f"{self._path} has the arrays {', '.join(self._names)}: `paths` and `vectors` are needed.")
        for path, vector in self._together(paths, vectors):
            yield foreign_row(path.decode() if isinstance(path, bytes) else str(path), _listed(vector), self._path)

    def _together(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The rows of several arrays of the same length."""
        with ExitStack() as opened:
            arrays = [_Array(opened.enter_context(self._archive.open(self._names[name])), name) for name in names]
            lengths = {array.rows for array in arrays}
            if len(lengths) != 1:
                raise ValueError(f"{' and '.join(names)} are not of the same length")
            for _ in range(0, lengths.pop(), PAGE_ROWS):
                yield from zip(*(array.next() for array in arrays), strict=True)

    def _read_header(self) -> Header:
        return Header.from_json(bytes(self._small(HEADER).item()), self._path)

    def _small(self, name: str) -> npt.NDArray[Any]:
        with self._archive.open(self._names[name]) as member:
            return np.asarray(npy.read_array(io.BytesIO(member.read()), allow_pickle=False))


class _Text:
    """A column of texts, which are kept with NUL between them until the longest is known."""

    def __init__(self, path: Path) -> None:
        self.stream = path.open("w+b")
        self._count = self._longest = 0

    def add(self, text: bytes) -> None:
        self.stream.write(text + b"\0")
        self._count += 1
        self._longest = max(self._longest, len(text))

    def write_to(self, archive: zipfile.ZipFile, name: str) -> None:
        width = max(1, self._longest)
        self.stream.seek(0)
        with _member(archive, name, np.dtype(f"S{width}"), (self._count,)) as member:
            rest = b""
            while chunk := self.stream.read(CHUNK_BYTES):
                *whole, rest = (rest + chunk).split(b"\0")
                member.write(b"".join(text.ljust(width, b"\0") for text in whole))


class _Array:
    """An array in an archive, read a page of rows at a time."""

    def __init__(self, member: IO[bytes], name: str) -> None:
        self._member = member
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, self._dtype = read(member)
        if self._dtype.hasobject or (is_fortran and len(shape) > 1) or not shape:
            raise ValueError(f"the array {name!r} has objects, or its columns first")
        self.rows, self._shape = int(shape[0]), shape[1:]
        self._done = 0

    def next(self) -> Sequence[Any]:
        """The next rows, PAGE_ROWS of them at most."""
        rows = min(PAGE_ROWS, self.rows - self._done)
        size = rows * self._dtype.itemsize * int(np.prod(self._shape, dtype=np.int64))
        blob = self._member.read(size)
        if len(blob) < size:
            raise EOFError("it ends too early")
        self._done += rows
        found = np.frombuffer(blob, self._dtype).reshape(rows, *self._shape)
        return found.tolist() if not self._shape else list(found)


def _member(archive: zipfile.ZipFile, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> IO[bytes]:
    """An array in the archive whose elements are still to be written."""
    stream = archive.open(f"{name}.npy", "w", force_zip64=True)
    header: Mapping[str, Any] = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    npy.write_array_header_2_0(stream, dict(header))
    return stream


def _write_small(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w") as stream:
        npy.write_array(stream, array, allow_pickle=False)


def _listed(vector: npt.NDArray[Any]) -> list[float] | None:
    """The vector as numbers; None for one of NaN."""
    return None if np.isnan(vector[0]) else vector.astype(np.float32).tolist()
