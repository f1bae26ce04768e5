"""What is installed, by extra; each package is imported in a process of its own, which may crash."""

import json
import os
import subprocess
import sys
from importlib import metadata

from lookalike import __version__
from lookalike.doctor.result import CheckResult, broken, ok, warning
from lookalike.system.parts import EXTRAS, is_installed, module_of, packages_of, requirements

# Prints the first line of the error of each import; a module that crashes the process is the last one begun.
TRIAL = """\
import importlib, json, sys
for name in sys.argv[1:]:
    print(json.dumps([name, "it ends the process that imports it"]), flush=True)
    try:
        importlib.import_module(name)
        fault = None
    except BaseException as error:
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps([name, fault]), flush=True)
"""
IMPORTS_WITHIN_S = 60.0


def check_versions() -> CheckResult:
    """Our version and those of the client's own requirements."""
    mine = [name for name, marker in requirements() if "extra" not in marker]
    return ok("installed", ", ".join([f"lookalike {__version__}", *(f"{name} {_version(name)}" for name in mine)]))


def missing_packages(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [name for name in packages_of(extra) if not is_installed(name)]


def check_extra(name: str, missing: list[str]) -> CheckResult:
    """Whether an extra can be used."""
    packages = packages_of(name)
    if missing:
        return warning(
            f"extra {name}", f"not installed: {', '.join(missing)}",
            f"pip install 'lookalike[{name}]' (or [all]) on the machine where {EXTRAS[name]}; a client needs none.",
        )  # fmt: skip
    faults = _imported([module_of(package) for package in packages])
    if faults:
        found = "; ".join(f"{module}: {fault}" for module, fault in faults.items())
        return broken(f"extra {name}", found, f"Install it again: pip install --force-reinstall 'lookalike[{name}]'.")
    return ok(f"extra {name}", ", ".join(f"{package} {_version(package)}" for package in packages))


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
            # As models/__init__.py does for the parts.
            env={"ORT_DISABLE_TELEMETRY": "1", **os.environ},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {modules[0]: f"not imported within {IMPORTS_WITHIN_S:g} s"}
    # Libraries may print as well; the last line about a module counts.
    faults = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))
    return {module: fault for module, fault in faults.items() if fault is not None}
