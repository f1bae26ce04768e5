"""Turns the calls that strace saw into the operations of a history, which replay.py explains."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,copy_file_range,sendfile,lseek,ftruncate,truncate,close,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,utimensat,utimes,mkdir,mkdirat,rmdir,"
    "chmod,fchmod,fchmodat,chdir,fchdir,clone,clone3,fork,vfork"
)
FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
ON_FILES = frozenset({"write", "writev", "pwrite64", "pwritev", "lseek", "ftruncate", "close", "fchmod"})
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
# With the folder that it is relative to, if the call names one.
_NAME = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
_MTIME = re.compile(r"(?:tv_sec=-?\d+.*|UTIME_\w+.*)tv_sec=(-?\d+)")


@dataclass(frozen=True)
class Call:
    """One call that succeeded: the names and the open files among its arguments, inside the library or empty."""

    name: str
    arguments: str
    result: int
    paths: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def path(self) -> str:
        """The name or the open file that it is about."""
        return self.paths[0] if self.paths and self.name not in ON_FILES else "".join(self.files[:1])

    @property
    def last(self) -> str:
        """Its last argument."""
        return self.arguments.rpartition(", ")[2]


@dataclass
class Parser:
    """Makes operations of calls. `folder` has the library, and is where the command was started."""

    folder: Path
    # Of each process.
    _cwd: dict[str, str] = field(default_factory=dict)
    _writable: set[str] = field(default_factory=set)

    def operations(self, lines: list[str]) -> Iterator[str]:
        """The operations of these lines of strace."""
        for pid, name, arguments, result in _calls(lines):
            if result < 0:
                continue
            paths, files = self._names(pid, arguments), _DESCRIPTOR.findall(arguments)
            if name in FORKS:
                self._cwd[str(result)] = self._cwd_of(pid)
            elif name in ("chdir", "fchdir"):
                self._cwd[pid] = (paths or files)[0]
            else:
                inside = tuple(map(self._inside, paths)), tuple(map(self._inside, files))
                call = Call(name, arguments, result, *inside)
                yield from (*self._of_contents(call), *self._of_names(call), *_of_attributes(call))

    def _of_contents(self, call: Call) -> Iterator[str]:
        path, is_open = call.path, call.path in self._writable
        match call.name:
            case "open" | "openat" | "creat" if path and re.search(r"O_WRONLY|O_RDWR|^creat", call.arguments):
                self._writable.add(path)
                flags = [flag for flag in ("creat", "trunc") if f"O_{flag.upper()}" in call.arguments]
                yield " ".join(["open", path, *flags])
            case "write" | "writev" if is_open:
                yield f"write {path} {call.result}"
            case "pwrite64" | "pwritev" if is_open:
                yield f"write {path} {call.result} {call.last}"
            case "copy_file_range" | "sendfile" if call.result:
                target = call.files[0 if call.name == "sendfile" else 1]
                yield from [f"write {target} {call.result}"] if target else []
            case "lseek" if is_open:
                yield f"seek {path} {call.result}"
            case "ftruncate" | "truncate" if path:
                yield f"truncate {path} {call.last}"
            case "close" if is_open:
                self._writable.discard(path)
                yield f"close {path}"
            case _:
                pass

    def _of_names(self, call: Call) -> Iterator[str]:
        match call.name:
            case "rename" | "renameat" | "renameat2":
                yield from self._renamed(*call.paths)
            case "link" | "linkat" if all(call.paths):
                yield f"link {call.paths[0]} {call.paths[1]}"
            case "symlink" | "symlinkat" if call.paths[1]:
                # The first argument says what it leads to, and is no name of a file.
                target = call.arguments.split('"')[1]
                yield f"symlink {target} {call.paths[1]}"
            case "mkdir" | "mkdirat" if call.path:
                yield f"mkdir {call.path}"
            case "unlink" | "unlinkat" | "rmdir" if call.path:
                is_folder = call.name == "rmdir" or "AT_REMOVEDIR" in call.arguments
                yield f"{'rmdir' if is_folder else 'unlink'} {call.path}"
            case _:
                pass

    def _renamed(self, old: str, new: str) -> Iterator[str]:
        if old in self._writable:
            self._writable.discard(old)
            self._writable.add(new)
        if old and new:
            yield f"rename {old} {new}"
        elif old or new:
            yield f"arrive {new}" if new else f"leave {old}"

    def _cwd_of(self, pid: str) -> str:
        return self._cwd.setdefault(pid, os.fspath(self.folder))

    def _names(self, pid: str, arguments: str) -> list[str]:
        return [os.path.normpath(Path(base or self._cwd_of(pid), name)) for base, name in _NAME.findall(arguments)]

    def _inside(self, name: str) -> str:
        """The quoted name relative to the library; empty if it is outside, or git's own."""
        prefix = os.fspath(self.folder / "library") + os.sep
        inside = name.removesuffix(" (deleted)").removeprefix(prefix) if name.startswith(prefix) else ""
        return "" if inside.split("/")[0] == ".git" else quote(inside)


def _of_attributes(call: Call) -> Iterator[str]:
    if call.name in ("chmod", "fchmod", "fchmodat") and call.path:
        yield f"chmod {call.path} {re.findall(r'0[0-7]+', call.arguments)[-1]}"
    if call.name in ("utimensat", "utimes") and call.path:
        mtime = _MTIME.search(call.arguments)
        if mtime:
            yield f"utime {call.path} {mtime[1]}"
        elif "UTIME_OMIT]" not in call.arguments:
            yield f"utime {call.path} now"


def _calls(lines: list[str]) -> Iterator[tuple[str, str, str, int]]:
    """Process, call, arguments and result of each call that ended."""
    begun: dict[str, str] = {}
    for line in lines:
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished[1]] = line.removesuffix(" <unfinished ...>")
            continue
        resumed = _RESUMED.match(line)
        whole = begun.pop(resumed[1], "") + resumed[2] if resumed else line
        if found := _LINE.match(whole):
            yield found[1], found[2], found[3], int(found[4])
