"""What the programs of one machine all load, loaded once, to be shared by the processes that are forked afterwards.

Only modules that read no setting and open nothing when they are imported: each program still imports its own start.
"""

import gc
import importlib
from contextlib import suppress

from lookalike.errors import Misconfigured
from lookalike.settings import read_settings
from lookalike.system.memory import give_memory_back

# Programs are named and not imported by the library: they are services of their own.
MODULES = (
    "billiard.popen_fork",
    "billiard.sharedctypes",
    "celery.app.control",
    "celery.app.events",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.events.state",
    "celery.fixups.django",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.loops",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "kombu.transport.redis",
    "flower.command",
    "tornado.platform.asyncio",
    "lookalike.client.client",
    "lookalike.exporter",
    "lookalike.system.one_call",
    "models.onnx_runtime",
    "worker.context",
    "worker.delivery.celery_overrides",
    "worker.delivery.held_queues",
    "worker.delivery.long_wait",
    "worker.delivery.resting_pool",
    "worker.tasks",
    "worker.duplicates.celery_task",
    "worker.prepare",
    "producer.service",
    "producer.watching.inotify",
    "uvicorn.lifespan.on",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl",
    "web.app",
    "web.server",
)


def import_shared() -> None:
    """Imports all that are installed, does once what each program begins with, and ends garbage collection of that.

    A collection writes to every object that it visits, and what is written is shared no more.
    """
    gc.disable()
    for module in MODULES:
        with suppress(ImportError):
            importlib.import_module(module)
    for warm_up in (_read_settings, _load_decoders, _make_client):
        with suppress(ImportError):
            warm_up()
    # What is free and not given back would be written to, and so copied, by each process.
    give_memory_back()
    gc.freeze()
    gc.enable()


def _read_settings() -> None:
    """What is built for that is three quarters of what a process writes to before its own work."""
    with suppress(Misconfigured):
        read_settings()


def _load_decoders() -> None:
    """Of all formats."""
    # By name, as MODULES.
    importlib.import_module("worker.inference.decoder").enable_formats()


def _make_client() -> None:
    """Of the store, which is not asked: it imports as late as that."""
    store = importlib.import_module("qdrant_client")
    store.QdrantClient(url="http://127.0.0.1", check_compatibility=False).close()
