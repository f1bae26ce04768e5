"""What the programs of one machine all import, imported once, to be shared by the processes that are forked afterwards.

Only modules that read no setting and open nothing when they are imported: each program still imports its own start.
"""

import gc
import importlib
from contextlib import suppress

from lookalike.system.memory import give_memory_back

# Programs are named and not imported by the library: they are services of their own.
MODULES = (
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.events.state",
    "kombu.transport.redis",
    "flower.command",
    "lookalike.client.client",
    "models.onnx_runtime",
    "worker.context",
    "worker.tasks",
    "worker.duplicates.celery_task",
    "worker.prepare",
    "producer.service",
    "uvicorn",
    "web.app",
)


def import_shared() -> None:
    """Imports all that are installed, and leaves them out of garbage collection.

    A collection writes to every object that it visits, and what is written is shared no more.
    """
    gc.disable()
    for module in MODULES:
        with suppress(ImportError):
            importlib.import_module(module)
    # What is free and not given back would be written to, and so copied, by each process.
    give_memory_back()
    gc.freeze()
    gc.enable()
