"""What is installed, by extra; each package is really imported, in a process that may crash over it."""

import json
import re
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

from lookalike import __version__
from lookalike.doctor.result import CheckResult, broken, ok, warning

# The extras that a part needs, and what works without them.
EXTRAS = {
    "worker": "images are embedded and searches answered",
    "producer": "the library is watched",
    "edge": "`lookalike up` starts broker and store",
    "monitor": "Flower runs",
}
MODULES = {"qdrant-edge-py": "qdrant_edge"}
# The first line of what an import said, by module; a module that takes the process along is the last one begun.
TRIAL = """\
import importlib, json, sys
for name in sys.argv[1:]:
    print(json.dumps([name, "it ends the process that imports it"]), flush=True)
    try:
        importlib.import_module(name)
        said = None
    except BaseException as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps([name, said]), flush=True)
"""
IMPORTS_WITHIN_S = 60.0


def versions() -> CheckResult:
    """Our version and those of the client's own requirements."""
    mine = [name for name, marker in _required() if "extra" not in marker]
    return ok("installed", ", ".join([f"lookalike {__version__}", *(f"{name} {_version(name)}" for name in mine)]))


def lacks(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [name for name in _packages(extra) if find_spec(_module(name)) is None]


def extra(name: str, missing: list[str]) -> CheckResult:
    """Whether an extra can be used."""
    packages = _packages(name)
    if missing:
        return warning(
            f"extra {name}", f"not installed: {', '.join(missing)}",
            f"pip install 'lookalike[{name}]' (or [all]) on the machine where {EXTRAS[name]}; a client needs none.",
        )  # fmt: skip
    faults = _imported([_module(package) for package in packages])
    if faults:
        said = "; ".join(f"{module}: {fault}" for module, fault in faults.items())
        return broken(f"extra {name}", said, f"Install it again: pip install --force-reinstall 'lookalike[{name}]'.")
    return ok(f"extra {name}", ", ".join(f"{package} {_version(package)}" for package in packages))


def _required() -> list[tuple[str, str]]:
    """Name and marker of each requirement of ours."""
    split = (re.match(r"[\w.-]+", line) for line in metadata.requires("lookalike") or [])
    return [(found[0], found.string.partition(";")[2]) for found in split if found is not None]


def _packages(extra: str) -> list[str]:
    here = [(name, marker) for name, marker in _required() if f"extra == '{extra}'" in marker.replace('"', "'")]
    return [name for name, marker in here if not ("!= 'win32'" in marker and sys.platform == "win32")]


def _module(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"


def _imported(modules: list[str]) -> dict[str, str]:
    """What is wrong with modules, by name; empty if all can be imported."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL, *modules],
            capture_output=True, text=True, timeout=IMPORTS_WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {modules[0]: f"not imported within {IMPORTS_WITHIN_S:g} s"}
    # Libraries may print as well; the last word on a module counts.
    said = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))
    return {module: fault for module, fault in said.items() if fault is not None}
