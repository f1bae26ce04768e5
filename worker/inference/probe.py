"""`python -m worker.inference.probe MODEL BACKEND`: how many images per second one process embeds, among several.

Says "ready" when the model is loaded and warm, waits for a line, and prints the number. Exit code 1 if the backend
cannot be used here.
"""

import sys
import time
from pathlib import Path

import numpy as np

from lookalike.errors import LookalikeError
from worker.inference.embedder import Embedder

READY = "ready"
SECONDS = 0.7
INFERENCE_BATCH = 8


def main(arguments: list[str]) -> int:
    """Exit code."""
    model, backend = arguments
    try:
        embedder = Embedder(Path(model), inference_batch=INFERENCE_BATCH, backend=backend)
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    chance, size = np.random.default_rng(0), (embedder.card.height_px, embedder.card.width_px, 3)
    pictures = list(chance.integers(0, 256, (INFERENCE_BATCH, *size), dtype=np.uint8))
    embedder.embed(pictures)
    _say(READY)
    sys.stdin.readline()
    begun = time.perf_counter()
    runs = 0
    while (took_s := time.perf_counter() - begun) < SECONDS:
        embedder.embed(pictures)
        runs += 1
    _say(str(runs * INFERENCE_BATCH / took_s))
    return 0


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
