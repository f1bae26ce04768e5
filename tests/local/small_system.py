"""`up` with a real broker and small real programs in place of the services: a program of the tests.

    python small_system.py DATA LIBRARY [--rebuild] [--prepare PYTHON_CODE] [--also PART] [--search KIND] [--store open]

See small_program.py for the stand-ins.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import LookalikeError
from lookalike.local.processes import Ports, ProcessSpec, parts_of
from lookalike.local.up import up
from lookalike.settings import Settings, read_settings

PROGRAM = str(Path(__file__).with_name("small_program.py"))


@dataclass(frozen=True)
class Numbers:
    discovered: int = 3
    indexed: int | None = 2
    rejected: int | None = 1
    rate_per_s: float = 85.0
    eta_s: float | None = 1.0
    warning: str | None = None


def small_parts(
    settings: Settings, ports: Ports, real: set[str], kind_of_search: str, store: list[str]
) -> list[ProcessSpec]:
    parts = [part for part in parts_of(settings, ports) if part.name in real]
    if ports.store is not None:
        parts.append(ProcessSpec("store", "ground", [sys.executable, PROGRAM, "store", str(ports.store), *store]))
    return [*parts, small_part("ingest", "child"), small_part("search", kind_of_search)]


def small_part(name: str, kind: str) -> ProcessSpec:
    return ProcessSpec(name, "work", [sys.executable, PROGRAM, kind])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--prepare", default="pass")
    parser.add_argument("--also", action="append", default=[], help="a part to run as it is")
    parser.add_argument("--search", default="sleeper", help="which small program is the part `search`")
    parser.add_argument("--store", action="append", default=[], help="`open` if it shall ask for no key")
    given = parser.parse_args()
    try:
        up(
            read_settings(data=given.data),
            given.library,
            rebuild=given.rebuild,
            ask_status=lambda _: Numbers,
            make_parts=lambda settings, ports: small_parts(
                settings, ports, {"broker", *given.also}, given.search, given.store
            ),
            prepare=[sys.executable, "-c", given.prepare],
        )
    except LookalikeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
