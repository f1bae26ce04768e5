"""Records what programs do to the files of a folder, with strace, as the histories that lie here.

    python -m tests.producer.histories.record [NAME ...]

Each history is written anew by running the real program, which has to be installed: rsync, unzip, zip, git, vim, gio
(libglib2.0-bin). Names are relative to the folder, so that a history says the same wherever it was recorded. The lines
are explained in replay.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.producer.histories.calls import CALLS, Parser
from tests.producer.histories.programs import PROGRAMS, Program, prepare

HERE = Path(__file__).parent
OTHER_DEVICE = "/dev/shm"  # noqa: S108 (for a folder of our own below it)


def main() -> int:
    """Exit code."""
    for name in sys.argv[1:] or PROGRAMS:
        program = PROGRAMS[name]
        if missing := [needed for needed in program.needs if shutil.which(needed) is None]:
            print(f"{name}: {', '.join(missing)} is not installed", file=sys.stderr)  # noqa: T201
            return 1
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=OTHER_DEVICE) as elsewhere:
            lines = record(Path(os.path.realpath(folder)), program, Path(elsewhere))
        (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
        print(f"{name}: {len(lines)} lines")  # noqa: T201
    return 0


def record(folder: Path, program: Program, elsewhere: Path) -> list[str]:
    """The history of one run; `elsewhere` is a folder on another device."""
    library = folder / "library"
    environment = {**os.environ, "HOME": os.fspath(folder), "TERM": "dumb", "ELSEWHERE": os.fspath(elsewhere)}
    prepare(folder, program, environment)
    began = [_had(library, path) for path in _files(library)]
    outside = {path: (folder / "source" / path).stat().st_size for path in _files(folder / "source")}
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-qq", "-e", "signal=none", "-e", f"trace={CALLS}", "-o", os.fspath(trace)]
    subprocess.run([*command, "sh", "-c", program.command], cwd=folder, env=environment, check=True, input=b"")
    done = list(Parser(folder).operations(trace.read_text(errors="surrogateescape").splitlines()))
    arrived = tuple(line.removeprefix("arrive ") for line in done if line.startswith("arrive "))
    began += [f"outside {path} {size}" for path, size in outside.items() if arrived and path.startswith(arrived)]
    return [f"# {' '.join(program.command.split())}", *began, *_joined(done)]


def _had(library: Path, path: str) -> str:
    file = library / path
    return f"had-link {file.readlink()} {path}" if file.is_symlink() else f"had {path} {file.stat().st_size}"


def _joined(operations: list[str]) -> list[str]:
    """The operations, with one write in place of several that follow each other, and one seek."""
    joined: list[list[str]] = []
    for words in map(str.split, operations):
        last = joined[-1] if joined else [""]
        if words[0] == "write" == last[0] and words[1] == last[1] and len(words) == len(last) == 3:
            last[2] = str(int(last[2]) + int(words[2]))
        elif words[0] == "seek" and last[:2] == words[:2]:
            last[2] = words[2]
        else:
            joined.append(words)
    return [" ".join(words) for words in joined]


def _files(library: Path) -> list[str]:
    found = (path.relative_to(library) for path in library.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(path.as_posix() for path in found if ".git" not in path.parts)


if __name__ == "__main__":
    sys.exit(main())
