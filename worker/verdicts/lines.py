"""Verdicts as lines of JSON in a file of the data folder. Lines are only added, each time down to the disk."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lookalike.duplicates.verdicts import PairVerdict, Verdicts, parse_line
from lookalike.errors import Refused
from lookalike.log import get_logger
from lookalike.system.data_folder import PRIVATE_FILE

log = get_logger(__name__)

END = b"\n"


@dataclass(frozen=True)
class VerdictLines:
    """The file, which need not exist. Methods raise Refused, with the remedy, if the disk does not do its part."""

    file: Path

    def read(self) -> Verdicts:
        """All verdicts. A line that is none is left out and logged: a crash may have cut the last one."""
        verdicts = Verdicts()
        try:
            blob = self.file.read_bytes()
        except FileNotFoundError:
            return verdicts
        except OSError as error:
            raise self._refused("read", error) from error
        for number, line in enumerate(blob.split(END), 1):
            if not line.strip():
                continue
            try:
                verdicts.add(parse_line(line.decode()))
            except ValueError as error:
                log.warning("a verdict is left out", file=str(self.file), line=number, why=str(error))
        return verdicts

    def add(self, verdicts: Iterable[PairVerdict]) -> None:
        """Adds lines; they are on the disk when it returns."""
        blob = b"".join(verdict.line.encode() + END for verdict in verdicts)
        if not blob:
            return
        try:
            with self._locked() as stream:
                # What a crash cut off must not become the beginning of a line.
                stream.write(blob if self._ends_whole(stream) else END + blob)
                stream.flush()
                os.fsync(stream.fileno())
            self._sync_folder()
        except OSError as error:
            raise self._refused("written", error) from error

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        descriptor = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        with os.fdopen(descriptor, "r+b") as stream:
            # Of each process on its own: lines of two workers must not mix.
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream

    def _ends_whole(self, stream: IO[bytes]) -> bool:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return True
        stream.seek(size - 1)
        return stream.read(1) == END

    def _sync_folder(self) -> None:
        descriptor = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _refused(self, done: str, error: OSError) -> Refused:
        return Refused(
            f"The verdicts in {self.file} cannot be {done} ({error.strerror or error}): see that the disk has room and "
            "the file is yours."
        )
