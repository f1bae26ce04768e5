"""The environment that parts are started with: every setting as `up` understood it, and nothing that misleads them."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from lookalike.process_guard import GUARDIAN
from lookalike.service_paths import service_environment
from lookalike.settings import Settings, variable_of

# Celery lets these beat the URL that its app was made with; the last opens Flower's API to everybody on this machine.
MISLEADING = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "FLOWER_BASIC_AUTH",
    "FLOWER_UNAUTHENTICATED_API",
)
# Set for somebody else's program: each can end a part at its first warning, hold it at a prompt, or fill its log.
OTHERS_PYTHON = (
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONIOENCODING",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
    "PYTHONWARNINGS",
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def environment_of(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """Secrets travel here and never in argv, which every user of the machine can read."""
    kept = {name: value for name, value in inherited.items() if name not in (*MISLEADING, *OTHERS_PYTHON)}
    return {
        **service_environment(kept),
        **_said(settings),
        **_flower(settings),
        **_store(settings),
        GUARDIAN: str(os.getpid()),
        # One process per core computes already; threads of its libraries would fight over the cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # HTTP_PROXY must not catch what we say to ourselves.
        "NO_PROXY": _with_loopback(kept.get("NO_PROXY", "")),
        "no_proxy": _with_loopback(kept.get("no_proxy", "")),
        "PYTHONUNBUFFERED": "1",
        # The parts' working folder is no place to import from.
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }


def _said(settings: Settings) -> dict[str, str]:
    values = {variable_of(name): getattr(settings, name) for name in type(settings).model_fields}
    return {variable: _text(value) for variable, value in values.items() if value is not None}


def _text(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(value)
        case Path():
            return os.fspath(value)
        case _:
            return str(value)


def _flower(settings: Settings) -> dict[str, str]:
    return {} if settings.flower_auth is None else {"FLOWER_BASIC_AUTH": settings.flower_auth.get_secret_value()}


def _store(settings: Settings) -> dict[str, str]:
    """Qdrant's own name of the key that a store asks for."""
    key = settings.qdrant_api_key
    return {} if key is None else {"QDRANT__SERVICE__API_KEY": key.get_secret_value()}


def _with_loopback(known: str) -> str:
    return ",".join(filter(None, (known, *LOOPBACK)))
