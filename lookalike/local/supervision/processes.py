"""The processes of one machine: which programs run, with which arguments and environment. Starts nothing itself."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr

from lookalike.broker.telemetry import BEAT_S
from lookalike.local.servers.embedded import VALKEY_CONF_NAME, valkey_server
from lookalike.local.service.manager import VARIABLES as OF_SERVICE_MANAGER
from lookalike.settings import Settings, variable_of
from lookalike.system.process_guard import GUARDIAN
from lookalike.system.service_paths import python_module, service_environment

# The backing services, broker and store, are first to start and last to stop.
# Of "aside" nothing is started by itself.
Stage = Literal["backing", "app", "aside"]
STAGES: tuple[Stage, ...] = get_args(Stage)
# Within the application: early is what needs no index until it has imported, which takes longest, and begins while the
# index is checked; late is what is not needed in the first seconds, and begins once searches are answered.
Turn = Literal["early", "next", "late"]
# Whether a program that ends is started again: whatever its exit code, only after a failure, or not at all.
Restarts = Literal["always", "after failures", "never"]
# By default Flower keeps 100,000 tasks and saves only when it stops. Saving 10,000 takes 0.7 s, during which its
# pages wait (2 busy cores, 2026-11-21).
FLOWER_TASKS = 10_000
FLOWER_SAVES_EVERY_MS = 60_000
# Flower's own choice lacks what was asked and what came of it.
FLOWER_COLUMNS = "name,args,state,result,worker,received,runtime"
# Containers have another name each time they are made; without this their table shows all that ever were.
FLOWER_FORGETS_S = 60
# Celery prefers these to the URL that its app was made with; the last opens Flower's API to everybody on this machine.
MISLEADING = (
    "CELERY_CONFIG_MODULE",
    "CELERY_CUSTOM_WORKER_POOL",
    "CELERY_LOADER",
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "FLOWER_BASIC_AUTH",
    "FLOWER_UNAUTHENTICATED_API",
)
# Set for another program: each can end a process at its first warning, hold it at a prompt, or fill its log.
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
REINDEX = "reindex"
PREPARE = "prepare"
# Flower and gallery import for seconds before they listen, more on a busy machine; then another program may have their
# port.
LISTENS_AFTER_S = 30
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ProcessSpec:
    """A program that is kept alive. It runs in the data folder, guarded, with the environment of `up` and its own."""

    name: str
    stage: Stage
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    # File in the data folder that becomes its standard input.
    standard_input: str | None = None
    # False where the main process ends its children itself, and they must not get the signal.
    signals_children: bool = True
    restarts: Restarts = "always"
    # One that ends sooner is started again after a pause of a second or more, in which it is seen to have ended.
    started_after_s: int = 1
    turn: Turn = "next"


@dataclass(frozen=True)
class Ports:
    """Where the servers of this machine listen; None for one that runs elsewhere."""

    broker: int | None
    store: int | None
    flower: int
    web: int


def process_specs(settings: Settings, ports: Ports) -> list[ProcessSpec]:
    """All processes, in the order of `lookalike.system.parts`. Raises Misconfigured if the broker is not installed."""
    specs = []
    if ports.broker is not None:
        # By standard input: Valkey takes a file name for a pattern, that of the data folder included, and runs on its
        # defaults (no password, every address, no persistence) if the pattern matches nothing.
        specs.append(ProcessSpec("broker", "backing", [str(valkey_server()), "-"], standard_input=VALKEY_CONF_NAME))
    if ports.store is not None:
        specs.append(ProcessSpec("store", "backing", store_command(settings, ports.store)))
    keys = settings.keys
    return [
        *specs,
        _worker("ingest", settings, f"{keys.ingest},{keys.rescan}", processes=settings.processes),
        replace(_worker("search", settings, f"{keys.search},{keys.thumbnails}", processes=1), turn="early"),
        replace(_worker("duplicates", settings, keys.duplicates, processes=1), turn="late"),
        ProcessSpec("producer", "app", python_module("producer")),
        # Before the first tasks, of which it would show none that it did not see.
        replace(_listening("flower", _flower_command(settings, ports.flower)), turn="early"),
        _listening("web", python_module("web", f"--host={settings.web_host}", f"--port={ports.web}")),
    ]


def reindex_spec(settings: Settings) -> ProcessSpec:
    """The program that fills in a second generation; it ends when nothing is left to do."""
    lock = {} if settings.search_lock else {variable_of("search_lock"): "run/searching"}
    program = python_module("lookalike.local.reindex_service", "--once")
    return ProcessSpec(REINDEX, "aside", program, lock, signals_children=False, restarts="after failures")


def prepare_spec(command: Sequence[str]) -> ProcessSpec:
    """The check before the application starts, which is made once."""
    return ProcessSpec(PREPARE, "aside", [*command], restarts="never", started_after_s=0)


def store_command(settings: Settings, port: int) -> list[str]:
    """The embedded engine, to be started in the data folder."""
    address = ("--host", "127.0.0.1", "--port", str(port))
    threshold = settings.hnsw_threshold
    indexing = () if threshold is None else ("--hnsw-threshold", str(threshold))
    return python_module("edge", "--data", "store", *address, *indexing)


def prepare_command(*, rebuild: bool, former_ids: Iterable[str] = (), begins_second: bool = False) -> list[str]:
    """Checks the model and makes or checks the collection, once broker and store answer.

    `former_ids` are those of other libraries whose index a rebuild may drop. With `begins_second` it is a second
    generation: room for it is looked for, and its model tried, before it is made.
    """
    # One word each: an id that a user chose may begin with a dash.
    former = (f"--former-id={library_id}" for library_id in former_ids)
    options = [*(["--rebuild"] if rebuild else []), *(["--second"] if begins_second else [])]
    return python_module("worker.prepare", *options, *former)


def process_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of all processes: every setting as `up` read it, without variables that would mislead them.

    Secrets are passed here and never in argv, which every user of the machine can read.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in (*MISLEADING, *OTHERS_PYTHON, *OF_SERVICE_MANAGER)
    }
    return {
        **service_environment(kept),
        **_settings_variables(settings),
        **_store_variables(settings),
        GUARDIAN: str(os.getpid()),
        # One process per core computes already; threads of its libraries would compete for the cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # HTTP_PROXY must not apply to requests within this machine.
        "NO_PROXY": _with_loopback(kept.get("NO_PROXY", "")),
        "no_proxy": _with_loopback(kept.get("no_proxy", "")),
        "PYTHONUNBUFFERED": "1",
        # Nothing is imported from the working folder, which is the data folder.
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }


def node_name(part: str, system: str) -> str:
    """How Flower and Celery call a program: part, host (which Celery fills in) and system, of which a host has many."""
    return f"{part}@%h.{system}"


def worker_command(part: str, system: str, queues: str, processes: int) -> list[str]:
    """A worker of a system, on these queues."""
    return python_module(
        *("celery", "--app", "worker", "worker", "--pool", "prefork", "--concurrency", str(processes)),
        *("--queues", queues, "--hostname", node_name(part, system)),
        # Events feed Flower; gossip and mingle are for workers that elect or share clocks.
        *("--task-events", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        f"--heartbeat-interval={BEAT_S:g}",
    )


def _worker(slot: str, settings: Settings, queues: str, *, processes: int) -> ProcessSpec:
    celery = worker_command(slot, settings.name, queues, processes)
    # Ingest takes every core, so it yields to searches: a tenth of their weight where both want a core
    # (LOOKALIKE_INGEST_NICE, which the worker itself applies), and a pause where they would share one
    # (worker/searching/search_priority.py). Paths are relative to the data folder.
    lock = {} if settings.search_lock else {variable_of("search_lock"): "run/searching"}
    # SIGTERM lets the running task finish, mostly 0.2 s; Celery's soft shutdown would sleep its whole timeout. A task
    # that takes longer is killed, and redelivered after the next start.
    return ProcessSpec(slot, "app", celery, lock, signals_children=False)


def _listening(name: str, command: list[str]) -> ProcessSpec:
    """A part that people visit."""
    return ProcessSpec(name, "app", command, started_after_s=LISTENS_AFTER_S)


def _flower_command(settings: Settings, port: int) -> list[str]:
    return python_module(
        *("celery", "--app", "lookalike.flower_app", "flower"),
        *(f"--address={settings.flower_host}", f"--port={port}", "--persistent=True", "--db=flower/tasks"),
        # Workers send events by themselves: Flower would ask them for it every five seconds.
        "--enable-events=False",
        *(f"--max-tasks={FLOWER_TASKS}", f"--state-save-interval={FLOWER_SAVES_EVERY_MS}"),
        *(f"--purge-offline-workers={FLOWER_FORGETS_S}", f"--tasks-columns={FLOWER_COLUMNS}"),
    )


def _settings_variables(settings: Settings) -> dict[str, str]:
    values = {variable_of(name): getattr(settings, name) for name in type(settings).model_fields}
    return {variable: _as_text(value) for variable, value in values.items() if value is not None}


def _as_text(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(value)
        case Path():
            return os.fspath(value)
        case _:
            return str(value)


def _store_variables(settings: Settings) -> dict[str, str]:
    """The key under the name that Qdrant reads."""
    key = settings.qdrant_api_key
    return {} if key is None else {"QDRANT__SERVICE__API_KEY": key.get_secret_value()}


def _with_loopback(known: str) -> str:
    return ",".join(filter(None, (known, *LOOPBACK_NAMES)))
