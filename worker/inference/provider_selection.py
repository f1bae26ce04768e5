"""Chooses what computes the embeddings: what is set, else what the index was made with, else what is fastest here.

Fastest is measured and not guessed: `python -m worker.inference.probe` runs the model in as many processes as there are
workers, all at once, because one alone would not see that they get into each other's way.
"""

import logging
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from qdrant_client import QdrantClient

from lookalike.log import fields
from lookalike.service_paths import python_module
from lookalike.settings import Settings
from worker.context import qdrant_of
from worker.index.collection import recorded_backend
from worker.index.qdrant import answered
from worker.inference.embedder import model_path
from worker.inference.probe import READY
from worker.inference.providers import BACKENDS, CPU, installed
from worker.retry import retry_while_unavailable

log = logging.getLogger(__name__)

# Measuring takes a second; loading OpenVINO and compiling a ResNet-50 some more on busy cores.
DONE_WITHIN_S = 60.0


def backend_of(settings: Settings) -> str:
    """What a worker of these settings computes with. Waits for the store if that depends on the index."""
    fixed = fixed_backend(settings)
    if fixed is not None:
        return fixed
    client = qdrant_of(settings)
    recorded = retry_while_unavailable(lambda: answered(recorded_backend, client, settings.name), for_s=float("inf"))
    client.close()
    return CPU if recorded is None else recorded


def fixed_backend(settings: Settings) -> str | None:
    """What is set, or all that is installed; None if there is a choice."""
    if settings.provider != "auto":
        return BACKENDS[settings.provider]
    return CPU if installed() == [CPU] else None


def backend_to_make_with(settings: Settings, client: QdrantClient, *, rebuild: bool) -> str:
    """What the index was made with, or shall be made with. Measures if there is a choice. Raises StoreAway."""
    fixed = fixed_backend(settings)
    if fixed is not None:
        return fixed
    recorded = None if rebuild else answered(recorded_backend, client, settings.name)
    if recorded is not None:
        return recorded
    processes = settings.processes
    return fastest(measured(model_path(settings), installed(), processes))


def fastest(images_per_s: dict[str, float]) -> str:
    """The backend with the highest rate; what every machine has, if none could be measured or others are no faster."""
    return max(images_per_s, key=lambda backend: (images_per_s[backend], backend == CPU), default=CPU)


def measured(model: Path, backends: Sequence[str], processes: int) -> dict[str, float]:
    """Images per second of all processes together, of each backend that works here."""
    rates = {}
    for backend in backends:
        rate = _rate(python_module("worker.inference.probe", str(model), backend), processes)
        if rate is None:
            log.info(fields("cannot be used here", backend=backend))
            continue
        log.info(fields("measured", backend=backend, images_per_s=round(rate, 1), processes=processes))
        rates[backend] = rate
    return rates


def _rate(command: list[str], processes: int) -> float | None:
    """The sum of what the probes say; None if one of them ends without a word: a plugin may crash its process."""
    probes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(processes)
    ]
    patience = threading.Timer(DONE_WITHIN_S, _kill, [probes])
    patience.start()
    try:
        if any(_said(probe) != READY for probe in probes):
            return None
        for probe in probes:
            _tell_to_begin(probe)
        answers = [_said(probe) for probe in probes]
        return sum(map(float, answers)) if all(answers) else None
    finally:
        patience.cancel()
        _kill(probes)
        for probe in probes:
            probe.wait()
            for pipe in (probe.stdin, probe.stdout):
                with suppress(OSError):
                    pipe and pipe.close()


def _kill(probes: "Sequence[subprocess.Popen[str]]") -> None:
    for probe in probes:
        probe.kill()


def _said(probe: "subprocess.Popen[str]") -> str:
    """Its next line; nothing if it has ended."""
    return "" if probe.stdout is None else probe.stdout.readline().strip()


def _tell_to_begin(probe: "subprocess.Popen[str]") -> None:
    if probe.stdin is not None:
        with suppress(OSError):
            probe.stdin.write("\n")
            probe.stdin.flush()
