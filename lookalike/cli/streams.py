"""Standard input, output and error as a command finds them: closed, full, or in an encoding with few letters."""

import io
import json
import os
import re
import sys
from typing import Any, TextIO

from lookalike.terminal import escaped

STDIN, STDOUT, STDERR = 0, 1, 2


class Unwritable(OSError):
    """Standard output cannot be written: a full disk, or it was closed before the program began."""


class Output(io.FileIO):
    """Standard output. A reader that closes the pipe (`lookalike list | head -1`) ends the program."""

    def write(self, blob: Any, /) -> int:
        """Raises Unwritable once; nothing is written again when the program ends."""
        try:
            return super().write(blob)
        except BrokenPipeError:
            _put_null(STDOUT, os.O_WRONLY)
            raise SystemExit(0) from None
        except OSError as error:
            _put_null(STDOUT, os.O_WRONLY)
            raise Unwritable(error.errno, error.strerror) from None


def set_streams() -> None:
    """Makes the three usable, before anything is opened or written.

    A descriptor that is closed would be given to the next socket, and what is printed would go to the broker. A letter
    that the encoding lacks is escaped, not an error.
    """
    # Standard output is opened for reading, so that writing fails: a lost answer must be an error.
    for descriptor, flags in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        if not _is_open(descriptor):
            _put_null(descriptor, flags)
    if os.name == "posix":
        encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
        buffered = io.BufferedWriter(Output(STDOUT, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(
            buffered, encoding=encoding, errors="backslashreplace", line_buffering=buffered.isatty()
        )
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(STDERR, "w", closefd=False), write_through=True)


def write_json(document: Any, stream: TextIO | None = None) -> None:
    """One JSON document with the exact text, escaped where the encoding or a terminal needs it."""
    out = sys.stdout if stream is None else stream
    text = json.dumps(document, ensure_ascii=False)
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document)
    if escaped(text) != text:
        text = re.sub(r"[^ -~]", lambda found: _escape_char(found[0]), text)
    out.write(text + "\n")


def _escape_char(char: str) -> str:
    return char if escaped(char) == char else json.dumps(char)[1:-1]


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _put_null(descriptor: int, flags: int) -> None:
    null = os.open(os.devnull, flags)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    else:
        os.set_inheritable(descriptor, True)
