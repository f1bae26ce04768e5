"""`up` with a real broker and small real programs in place of the services: a program of the tests.

    python small_system.py DATA LIBRARY [--rebuild] [--prepare PYTHON_CODE] [--also PART] [--search KIND] [--store KIND]

DATA is `-` for the folder that is found. See small_program.py for the stand-ins.
"""

import argparse
import sys
from pathlib import Path

from lookalike.errors import LookalikeError
from lookalike.local.supervision.processes import Ports, ProcessSpec, process_specs
from lookalike.local.up import up
from lookalike.settings import Settings, read_settings
from tests.support.status import a_status

PROGRAM = str(Path(__file__).with_name("small_program.py"))


def small_specs(
    settings: Settings, ports: Ports, real: set[str], kind_of_search: str, store: list[str]
) -> list[ProcessSpec]:
    specs = [spec for spec in process_specs(settings, ports) if spec.name in real]
    if ports.store is not None:
        specs.append(ProcessSpec("store", "backing", [sys.executable, PROGRAM, "store", str(ports.store), *store]))
    return [*specs, small_spec("ingest", "child"), small_spec("search", kind_of_search)]


def small_spec(name: str, kind: str) -> ProcessSpec:
    return ProcessSpec(name, "app", [sys.executable, PROGRAM, kind])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--prepare", default="pass")
    parser.add_argument("--also", action="append", default=[], help="a part to run as it is")
    parser.add_argument("--search", default="sleeper", help="which small program is the part `search`")
    parser.add_argument("--open", type=Path, help="file that gets the address of the gallery in place of a browser")
    parser.add_argument(
        "--store", action="append", default=[], help="`open`: no key; `robbed`: loses its port; `beside`: Flower does"
    )
    given = parser.parse_args()
    try:
        up(
            read_settings(data=None if str(given.data) == "-" else given.data),
            given.library,
            rebuild=given.rebuild,
            open_page=None if given.open is None else given.open.write_text,
            ask_status=lambda _: lambda: a_status(discovered=3, indexed=2, rejected=1, rate_per_s=85.0, eta_s=1.0),
            make_specs=lambda settings, ports: small_specs(
                settings, ports, {"broker", *given.also}, given.search, given.store
            ),
            # In one line, as every command.
            prepare=[sys.executable, "-c", f"exec({given.prepare!r})"],
        )
    except LookalikeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
