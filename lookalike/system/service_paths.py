"""Where the services' code is, and how a service is started. They are programs: nothing here imports them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def services_dir() -> Path:
    """Folder with producer, worker, models and edge: inside the wheel, or the checkout itself."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "services"
    return inside if inside.is_dir() else package.parent


def python_module(module: str, *arguments: str) -> list[str]:
    """Command line that runs a service module with the Python that runs us."""
    return [sys.executable, "-m", module, *arguments]


def service_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The given environment (ours if None) with the services on PYTHONPATH."""
    found = dict(os.environ if environment is None else environment)
    known = [found["PYTHONPATH"]] if found.get("PYTHONPATH") else []
    return {**found, "PYTHONPATH": os.pathsep.join([str(services_dir()), *known])}
