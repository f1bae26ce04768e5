"""The parts of one machine: which programs run, with what, and in which order they stop. Starts nothing itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lookalike.local.embedded import VALKEY_CONF_NAME, valkey_server
from lookalike.service_paths import python_module
from lookalike.settings import Settings, variable_of

# Broker and store are the ground that the others stand on: first to start, last to stop.
Stage = Literal["ground", "work"]
PARTS = ("broker", "store", "ingest", "search", "producer", "flower")
# Left alone, Flower saves only when it is stopped, and 100,000 tasks. Saving 10,000 takes 0.7 s, during which its
# pages wait (2 busy cores, 2026-11-21).
FLOWER_TASKS = 10_000
FLOWER_SAVES_EVERY_MS = 60_000


@dataclass(frozen=True)
class ProcessSpec:
    """A program that is kept alive. It runs in the data folder, guarded, with the environment of `up` and its own."""

    name: str
    stage: Stage
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    # File in the data folder that it reads as its standard input.
    standard_input: str | None = None
    # False where the program's main process ends its children itself, and they must not hear the signal.
    tell_children: bool = True


@dataclass(frozen=True)
class Ports:
    """Where the parts listen on this machine; None for a server that somebody else runs."""

    broker: int | None
    store: int | None
    flower: int


def parts_of(settings: Settings, ports: Ports) -> list[ProcessSpec]:
    """All parts. Raises Misconfigured if the broker's program is not installed."""
    parts = []
    if ports.broker is not None:
        # By standard input: Valkey takes the name of a file for a pattern, that of the data folder included, and runs
        # on its defaults (no password, every address, nothing kept) if the pattern finds nothing.
        parts.append(ProcessSpec("broker", "ground", [str(valkey_server()), "-"], standard_input=VALKEY_CONF_NAME))
    if ports.store is not None:
        address = ("--host", "127.0.0.1", "--port", str(ports.store))
        store = python_module("edge", "--data", "store", *address, "--hnsw-threshold", str(settings.hnsw_threshold))
        parts.append(ProcessSpec("store", "ground", store))
    keys = settings.keys
    return [
        *parts,
        _worker("ingest", settings, f"{keys.ingest},{keys.rescan}", processes=settings.processes),
        _worker("search", settings, keys.search, processes=1),
        ProcessSpec("producer", "work", python_module("producer")),
        ProcessSpec("flower", "work", _flower(settings, ports.flower)),
    ]


def prepare_command(*, rebuild: bool, former_ids: Iterable[str] = ()) -> list[str]:
    """Checks the model and makes or checks the collection, once broker and store answer.

    `former_ids` are those of libraries whose index a rebuild may drop besides this one's.
    """
    # One word: an id that somebody named may begin with a dash.
    former = (f"--former-id={library_id}" for library_id in former_ids)
    return python_module("worker.prepare", *(["--rebuild"] if rebuild else []), *former)


def _worker(slot: str, settings: Settings, queues: str, *, processes: int) -> ProcessSpec:
    celery = python_module(
        *("celery", "--app", "worker", "worker", "--pool", "prefork", "--concurrency", str(processes)),
        *("--queues", queues, "--hostname", f"{slot}@{settings.name}"),
        # Events feed Flower; gossip and mingle are for workers that elect or share clocks.
        *("--task-events", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )
    # Ingest takes every core, so it steps back for searches: a tenth of their weight where both want one, and a pause
    # where they would share one (worker/search_priority.py). Paths are relative, parts run in the data folder.
    first = {} if settings.search_lock else {variable_of("search_lock"): "run/searching"}
    command = ["nice", "-n", "10", *celery] if slot == "ingest" else celery
    # SIGTERM finishes what is in work, mostly 0.2 s; Celery's soft shutdown would sleep its whole timeout. What
    # takes longer is killed, and done when it runs again.
    return ProcessSpec(slot, "work", command, first, tell_children=False)


def _flower(settings: Settings, port: int) -> list[str]:
    return python_module(
        *("celery", "--app", "lookalike.flower_app", "flower"),
        *(f"--address={settings.flower_host}", f"--port={port}", "--persistent=True", "--db=flower/tasks"),
        *(f"--max-tasks={FLOWER_TASKS}", f"--state-save-interval={FLOWER_SAVES_EVERY_MS}"),
    )
