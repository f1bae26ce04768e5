"""`python -m worker.trial`: embeds one picture with the model that is set and tells how, as one line of JSON.

Exit code 1 and one sentence on stderr if the model cannot be used. For `lookalike doctor`.
"""

import json
import sys
import time

from lookalike.errors import LookalikeError
from lookalike.settings import read_settings
from worker.context import load_embedder
from worker.inference.embedder import model_path
from worker.inference.providers import BACKENDS, CPU


def main() -> int:
    """Exit code."""
    try:
        settings = read_settings()
        path = model_path(settings)
        embedder = load_embedder(settings, BACKENDS.get(settings.provider, CPU))
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    embedder.warm_up()
    begun = time.perf_counter()
    embedder.warm_up()
    took_ms = (time.perf_counter() - begun) * 1000
    card = embedder.card
    told = {"name": card.name, "file": str(path), "precision": card.precision, "dimension": card.dimension}
    sys.stdout.write(json.dumps({**told, "backend": embedder.backend, "took_ms": round(took_ms, 1)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
