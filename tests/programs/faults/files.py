"""Makes calls to the operating system fail that concern one folder, in the threads that are named.

In place of a disk that fails: the calls of the module `os` are wrapped while the block runs, so that the code under
test is the one that ships.
"""

import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from tests.programs.faults.injecting import Injector

ERRORS = ("ENOENT", "EACCES", "EIO", "ESTALE", "ENOMEM")
# Those that need a new descriptor.
OPENING_ERRORS = (*ERRORS, "EMFILE")
SHORT, CHANGED = "short", "changed"
ERRORS_OF = {
    "stat": ERRORS,
    "readlink": ERRORS,
    "open": OPENING_ERRORS,
    "fstat": ("EIO", "ESTALE", "ENOMEM"),
    "list": OPENING_ERRORS,
    "next": ("EIO", "ESTALE", SHORT),
    "read": ("EIO", "ESTALE", "ENOMEM", SHORT, CHANGED),
}


class FailingFiles:
    """The wrapped calls. A kind is "<thread>: <call>"; `change` gets the path of a file while it is read."""

    def __init__(self, root: Path, injector: Injector, threads: frozenset[str], change: Callable[[Path], None]) -> None:
        self._root = os.path.realpath(root)
        self._injector = injector
        self._threads = threads
        self._change = change
        self._descriptors: dict[int, str] = {}
        self._real = {
            name: getattr(os, name)
            for name in ("stat", "lstat", "readlink", "open", "fstat", "fdopen", "close", "listdir", "scandir")
        }

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Wraps the calls while the block runs."""
        for name in self._real:
            setattr(os, name, getattr(self, name))
        open_file = io.open

        def open_or_fail(path: Any, *args: Any, **kwargs: Any) -> Any:
            self._check("open", path)
            return open_file(path, *args, **kwargs)

        # As pathlib opens files.
        io.open = open_or_fail  # type: ignore[assignment]
        try:
            yield
        finally:
            io.open = open_file
            for name, real in self._real.items():
                setattr(os, name, real)

    def stat(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        self._check("stat", path)
        return self._real["stat"](path, *args, **kwargs)

    def lstat(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        self._check("stat", path)
        return self._real["lstat"](path, *args, **kwargs)

    def readlink(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        self._check("readlink", path)
        return self._real["readlink"](path, *args, **kwargs)

    def open(self, path: Any, *args: Any, **kwargs: Any) -> int:
        self._check("open", path)
        descriptor: int = self._real["open"](path, *args, **kwargs)
        if self._concerns(path):
            self._descriptors[descriptor] = os.fspath(path)
        return descriptor

    def fstat(self, descriptor: int) -> Any:
        if descriptor in self._descriptors:
            self._check("fstat", self._descriptors[descriptor])
        return self._real["fstat"](descriptor)

    def fdopen(self, descriptor: int, *args: Any, **kwargs: Any) -> Any:
        file = self._real["fdopen"](descriptor, *args, **kwargs)
        path = self._descriptors.get(descriptor)
        return file if path is None else _FailingFile(file, path, self)

    def close(self, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._real["close"](descriptor)

    def listdir(self, path: Any = ".") -> list[str]:
        self._check("list", path)
        names: list[str] = self._real["listdir"](path)
        return names

    def scandir(self, path: Any = ".") -> Any:
        self._check("list", path)
        found = self._real["scandir"](path)
        return _FailingListing(found, self) if self._concerns(path) else found

    def meet(self, call: str) -> str | None:
        """The error that this call is to meet, which may be no error number."""
        return self._injector.meet(f"{threading.current_thread().name}: {call}")

    def read_as(self, path: str, error: str | None, content: bytes) -> bytes:
        """What a read gives that meets this error."""
        if error == CHANGED:
            self._change(Path(path))
            return content
        if error == SHORT:
            return content[: len(content) // 2]
        raise_number(error, path)
        return content

    def forget(self, path: str) -> None:
        """A file was closed."""
        self._descriptors = {number: kept for number, kept in self._descriptors.items() if kept != path}

    def _concerns(self, path: Any) -> bool:
        if threading.current_thread().name not in self._threads or isinstance(path, int):
            return False
        name = os.fsdecode(path)
        return name == self._root or name.startswith(self._root + os.sep)

    def _check(self, call: str, path: Any) -> None:
        if self._concerns(path):
            raise_number(self.meet(call), path)


class _FailingFile:
    """An open file whose reads may fail."""

    def __init__(self, file: BinaryIO, path: str, failing: FailingFiles) -> None:
        self._file = file
        self._path = path
        self._failing = failing

    def read(self, size: int = -1) -> bytes:
        error = self._failing.meet("read")
        return self._failing.read_as(self._path, error, self._file.read(size))

    def fileno(self) -> int:
        return self._file.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failing.forget(self._path)
        self._file.close()


class _FailingListing:
    """A listing that may end with an error or too early, with entries whose status may fail."""

    def __init__(self, found: Any, failing: FailingFiles) -> None:
        self._found = found
        self._failing = failing

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "_FailingEntry":
        error = self._failing.meet("next")
        if error == SHORT:
            raise StopIteration
        raise_number(error, "a listing")
        return _FailingEntry(next(self._found), self._failing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._found.close()


class _FailingEntry:
    """An entry of a listing: its kind comes with the listing, its status is a call."""

    def __init__(self, entry: "os.DirEntry[str]", failing: FailingFiles) -> None:
        self._entry = entry
        self._failing = failing
        self.name, self.path = entry.name, entry.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        raise_number(self._failing.meet("stat"), self.path)
        return self._entry.stat(follow_symlinks=follow_symlinks)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.is_file(follow_symlinks=follow_symlinks)

    def is_symlink(self) -> bool:
        return self._entry.is_symlink()


def raise_number(error: str | None, path: Any) -> None:
    """Raises the error of this name."""
    if error is not None:
        number = getattr(errno, error)
        raise OSError(number, os.strerror(number), os.fspath(path))
