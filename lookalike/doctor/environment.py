"""The environment of the program: proxies, certificates, limits, the terminal, TMPDIR."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lookalike.broker.address import without_secret
from lookalike.doctor.result import CheckResult, broken, ok, warning
from lookalike.errors import LookalikeError
from lookalike.local.supervision.machine_limits import PROCESSES, files_limit, need_files, processes_limit
from lookalike.local.supervision.processes import MISLEADING, OTHERS_PYTHON
from lookalike.settings import Settings
from lookalike.system.runtime_dir import runtime_folder
from lookalike.system.store_access import CERTIFICATE_FOLDERS, CERTIFICATES, store_access

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def check_proxies(settings: Settings, environment: Mapping[str, str]) -> CheckResult:
    """Which proxies are named, and whether one of them is on the way to the store."""
    named = [name for name in (*PROXIES, *map(str.lower, PROXIES)) if environment.get(name)]
    if not named:
        return ok("proxies", "none")
    found = ", ".join(named)
    if settings.qdrant_url is None:
        return ok("proxies", f"{found}; broker and store of this machine are reached directly all the same")
    try:
        access = store_access(settings.qdrant_url, environment, settings.qdrant_ca)
        access.grpc_options() if settings.qdrant_grpc else None
    except LookalikeError as error:
        return broken("proxies", found, str(error))
    way = "directly" if access.proxy is None else f"through {without_secret(access.proxy)}"
    return ok("proxies", f"{found}; the store at {access.host} is reached {way}")


def check_certificates(environment: Mapping[str, str]) -> CheckResult:
    """Whether the files of certificates that the environment names are there."""
    named = {name: environment[name] for name in (*CERTIFICATES, CERTIFICATE_FOLDERS) if environment.get(name)}
    if not named:
        return ok("certificates", "those of the system and of Python's packages")
    missing = [name for name, path in named.items() if not any(Path(each).exists() for each in path.split(os.pathsep))]
    found = ", ".join(f"{name}={path}" for name, path in named.items())
    if missing:
        return warning(
            "certificates", f"{found}; not there: {', '.join(missing)}",
            f"Nothing on this machine needs them; a store or broker elsewhere by TLS and `lookalike model fetch` do: "
            f"unset {missing[0]}, or correct it.",
        )  # fmt: skip
    return ok("certificates", found)


def check_other_variables(environment: Mapping[str, str]) -> CheckResult:
    """Which variables, and whether a `.netrc`, are meant for other programs and not passed on or read here."""
    named = [name for name in (*MISLEADING, *OTHERS_PYTHON) if environment.get(name)]
    netrc = environment.get("NETRC") or str(Path(environment.get("HOME") or os.sep) / ".netrc")
    named += [netrc] if Path(netrc).is_file() else []
    if not named:
        return ok("other programs", "none of their variables that matter here")
    return ok("other programs", f"{', '.join(named)}: meant for them, and left out here")


def check_limits() -> CheckResult:
    """Whether a process may open as many files, and this user start as many processes, as a system needs."""
    if sys.platform == "win32":
        return ok("limits", "those of Windows")
    files, processes = files_limit(), processes_limit()
    found = f"{_many(files)} open files, {_many(processes)} processes"
    try:
        need_files(files)
    except LookalikeError as error:
        return broken("limits", found, str(error))
    if processes is not None and processes < PROCESSES:
        return warning("limits", found, f"A system starts about 20 and their threads: allow {PROCESSES} (ulimit -Hu).")
    return ok("limits", found)


def check_output() -> CheckResult:
    """Whether every name of a file can be shown here."""
    encoding = sys.stdout.encoding if sys.stdout is not None else "closed"
    if encoding.lower().replace("-", "") in ("utf8", "utf16", "utf8sig"):
        return ok("output", encoding)
    return warning(
        "output", encoding, "What it lacks is shown as \\u and numbers: set PYTHONUTF8=1, or a locale with UTF-8."
    )


def check_temporary_folder() -> CheckResult:
    """Whether TMPDIR can hold sockets, and files for every `up` of this user."""
    try:
        folder = runtime_folder()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except LookalikeError as error:
        return broken("temporary", tempfile.gettempdir(), str(error))
    except OSError as error:
        return broken("temporary", f"{folder} ({error.strerror})", "Make room there, or set TMPDIR to another folder.")
    return ok("temporary", str(folder))


def _many(limit: int | None) -> str:
    return "any number of" if limit is None else str(limit)
