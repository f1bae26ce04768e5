"""Does again what a history says. One operation a line, names relative to the folder and quoted as in URLs:

# COMMAND                      what was run
had PATH SIZE                  a file that was there before
had-link TARGET PATH           a symbolic link that was there before
outside PATH SIZE              a file on the same disk outside of the folder
open PATH [creat] [trunc] [append]
write PATH SIZE [AT]           so many bytes, at the place where the file is written or at another one
seek PATH AT
truncate PATH SIZE
close PATH
rename OLD NEW
arrive PATH                    what was outside under this name is renamed into the folder
leave PATH                     the other way round
link OLD NEW
symlink TARGET PATH
unlink PATH, rmdir PATH, mkdir PATH
chmod PATH MODE
utime PATH SECONDS|now
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

HERE = Path(__file__).parent
OLD_S = 1_500_000_000


def histories() -> dict[str, list[str]]:
    """The lines of each history, by its name."""
    return {path.stem: path.read_text("utf-8").splitlines() for path in sorted(HERE.glob("*.txt"))}


class Replay:
    """One history in a folder that it makes; `outside` is another one on the same disk."""

    def __init__(self, lines: list[str], folder: Path, outside: Path) -> None:
        self.command, lines = lines[0], lines[1:]
        self._folder = folder
        self._outside = outside
        self._open: dict[str, BinaryIO] = {}
        self._before = [line.split() for line in lines if line.startswith(("had", "outside"))]
        self._lines = [[unquote(word) for word in line.split()] for line in lines[len(self._before) :]]

    def prepare(self) -> None:
        """Writes what was there before."""
        self._folder.mkdir()
        for kind, *words in self._before:
            if kind == "had-link":
                (self._folder / words[1]).symlink_to(words[0])
                continue
            path = (self._outside if kind == "outside" else self._folder) / words[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(int(words[1])))
            os.utime(path, (OLD_S, OLD_S))

    def steps(self) -> Iterator[None]:
        """Does one operation after the other."""
        for operation, *words in self._lines:
            self._do(operation, *words)
            yield
        for file in self._open.values():
            file.close()

    def _do(self, operation: str, *words: str) -> None:
        path, rest = self._folder / words[0], words[1:]
        match operation:
            case "open":
                self._open_file(words[0], rest)
            case "write":
                file = self._open[words[0]]
                if len(rest) > 1:
                    file.seek(int(rest[1]))
                file.write(bytes(int(rest[0])))
            case "seek":
                self._open[words[0]].seek(int(rest[0]))
            case "truncate":
                os.truncate(path, int(rest[0]))
            case "close":
                self._open.pop(words[0]).close()
            case "chmod":
                path.chmod(int(rest[0], 8) & 0o777)
            case "utime":
                os.utime(path, None if rest[0] == "now" else (int(rest[0]), int(rest[0])))
            case _:
                self._change_name(operation, path, words)

    def _change_name(self, operation: str, path: Path, words: tuple[str, ...]) -> None:
        match operation:
            case "rename":
                path.rename(self._folder / words[1])
                if words[0] in self._open:
                    self._open[words[1]] = self._open.pop(words[0])
            case "arrive":
                (self._outside / words[0]).rename(path)
            case "leave":
                path.rename(self._outside / words[0])
            case "link":
                (self._folder / words[1]).hardlink_to(path)
            case "symlink":
                (self._folder / words[1]).symlink_to(words[0])
            case "unlink":
                path.unlink()
            case "rmdir":
                path.rmdir()
            case "mkdir":
                path.mkdir()
            case _:
                raise ValueError(operation)

    def _open_file(self, name: str, flags: tuple[str, ...]) -> None:
        given = os.O_WRONLY | (os.O_CREAT if "creat" in flags else 0) | (os.O_TRUNC if "trunc" in flags else 0)
        if name in self._open:
            self._open.pop(name).close()
        # Unbuffered: each write is seen at once.
        self._open[name] = os.fdopen(os.open(self._folder / name, given, 0o644), "wb", buffering=0)
