"""Selects the execution provider: the one that is set, else the one of the index, else the fastest on this machine.

Measured, not guessed: `python -m worker.inference.provider_selection MODEL PROVIDER` runs the model in as many
processes as there will be workers, all at once, because a single one would not see them slow each other down. It prints
"ready" when the model is loaded and warm, waits for a line, and prints images per second. Exit code 1 if the provider
cannot be used here.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from lookalike.errors import LookalikeError
from lookalike.log import get_logger
from lookalike.settings import Settings
from lookalike.system.service_paths import python_module
from worker.inference.embedder import Embedder, model_path
from worker.inference.providers import CPU, PROVIDERS, installed_providers

log = get_logger(__name__)

PROGRAM = "worker.inference.provider_selection"
READY = "ready"
PROBE_S = 0.7
PROBE_BATCH = 8
# Measuring takes a second; loading OpenVINO and compiling a ResNet-50 some more on busy cores.
DONE_WITHIN_S = 60.0


def select_provider(settings: Settings, recorded: Callable[[], str | None]) -> str:
    """The provider of a worker with these settings. `recorded` gives that of the index, asked for only if it counts."""
    return fixed_provider(settings) or recorded() or CPU


def select_for_new_index(settings: Settings, recorded: Callable[[], str | None]) -> str:
    """The provider that the index was made with or is to be made with. Measures if there is a choice."""
    chosen = fixed_provider(settings) or recorded()
    return chosen or fastest(measure_rates(model_path(settings), installed_providers(), settings.processes))


def fixed_provider(settings: Settings) -> str | None:
    """The provider that is set, or the only one that is installed; None if there is a choice."""
    if settings.provider != "auto":
        return PROVIDERS[settings.provider]
    return CPU if installed_providers() == [CPU] else None


def fastest(images_per_s: dict[str, float]) -> str:
    """The provider with the highest rate; the CPU's if none could be measured or the others are no faster."""
    return max(images_per_s, key=lambda provider: (images_per_s[provider], provider == CPU), default=CPU)


def measure_rates(model: Path, providers: Sequence[str], processes: int) -> dict[str, float]:
    """Images per second of all processes together, for each provider that works here."""
    rates = {}
    for provider in providers:
        rate = _run_probes(python_module(PROGRAM, str(model), provider), processes)
        if rate is None:
            log.info("cannot be used here", provider=provider)
            continue
        log.info("measured", provider=provider, images_per_s=round(rate, 1), processes=processes)
        rates[provider] = rate
    return rates


def _run_probes(command: list[str], processes: int) -> float | None:
    """The sum of the rates; None if a probe ends without one: a plugin may crash its process."""
    probes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(processes)
    ]
    timeout = threading.Timer(DONE_WITHIN_S, _kill, [probes])
    timeout.start()
    try:
        if any(_next_line(probe) != READY for probe in probes):
            return None
        for probe in probes:
            _start_measuring(probe)
        answers = [_next_line(probe) for probe in probes]
        return sum(map(float, answers)) if all(answers) else None
    finally:
        timeout.cancel()
        _kill(probes)
        for probe in probes:
            probe.wait()
            for pipe in (probe.stdin, probe.stdout):
                with suppress(OSError):
                    pipe and pipe.close()


def _kill(probes: "Sequence[subprocess.Popen[str]]") -> None:
    for probe in probes:
        probe.kill()


def _next_line(probe: "subprocess.Popen[str]") -> str:
    """The probe's next line; empty if the probe has ended."""
    return "" if probe.stdout is None else probe.stdout.readline().strip()


def _start_measuring(probe: "subprocess.Popen[str]") -> None:
    if probe.stdin is not None:
        with suppress(OSError):
            probe.stdin.write("\n")
            probe.stdin.flush()


def main(arguments: Sequence[str]) -> int:
    """Runs one probe. Returns the exit code."""
    model, provider = arguments
    try:
        embedder = Embedder(Path(model), inference_batch=PROBE_BATCH, provider=provider)
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    random, size = np.random.default_rng(0), (embedder.card.height_px, embedder.card.width_px, 3)
    images = list(random.integers(0, 256, (PROBE_BATCH, *size), dtype=np.uint8))
    embedder.embed(images)
    _print_line(READY)
    sys.stdin.readline()
    begun = time.perf_counter()
    runs = 0
    while (took_s := time.perf_counter() - begun) < PROBE_S:
        embedder.embed(images)
        runs += 1
    _print_line(str(runs * PROBE_BATCH / took_s))
    return 0


def _print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
