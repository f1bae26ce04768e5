"""`up` with the parts that search and ingest need, as they ship; each one more takes seconds to start: a program.

python lean_system.py DATA LIBRARY [PART...] [--rebuild]; all else is set by the environment
"""

import sys
from pathlib import Path

from lookalike.library.address import BucketAddress, library_address
from lookalike.local.supervision.processes import Ports, ProcessSpec, process_specs
from lookalike.local.up import up
from lookalike.settings import Settings, read_settings

NEEDED = ("broker", "store", "ingest", "search", "producer")


def lean_system(data: Path, library: Path | BucketAddress, *more: str) -> list[str]:
    """What starts it, with these parts besides; `--rebuild` makes the index again."""
    return [sys.executable, __file__, str(data), str(library), *more]


def needed_specs(settings: Settings, ports: Ports) -> list[ProcessSpec]:
    """Those of the parts."""
    return [spec for spec in process_specs(settings, ports) if spec.name in (*NEEDED, *sys.argv[3:])]


if __name__ == "__main__":
    up(
        read_settings(data=Path(sys.argv[1])),
        library_address(sys.argv[2]),
        rebuild="--rebuild" in sys.argv,
        make_specs=needed_specs,
    )
