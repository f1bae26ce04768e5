"""How long the gallery takes to answer among many images: `python -m bench.gallery [--images 100000] [--rounds 40]`.

The real broker, store, search worker and gallery; the points are those of `bench.planted`, whose files do not exist, so
thumbnails are not measured: they cost the same in a library of any size. Prints one JSON document, milliseconds.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np

from bench.planted import filled
from tests.support.workers import worker_process
from tests.web.conftest import web_process

EACH = 5
ASKED_S = 60.0


def main() -> int:
    """Runs the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.gallery", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="of each request (%(default)s)")
    given = parser.parse_args()
    with ExitStack() as stack:
        _, environment, _, _, fill_s = filled(stack, given.images // EACH, EACH)
        folder = Path(environment["LOOKALIKE_DATA"])
        stack.enter_context(worker_process(folder / "s.log", environment, queues="lookalike:search", name="search"))
        address = stack.enter_context(web_process(environment, folder / "web.log"))
        http = stack.enter_context(httpx.Client(base_url=f"{address}/api/v1", trust_env=False, timeout=ASKED_S))
        pages: list[str] = []

        def next_page() -> httpx.Response:
            answer = http.get("/images", params={"limit": 100, **({"after": pages[-1]} if pages else {})})
            pages.append(answer.json()["next"])
            return answer

        def search(**more: object) -> Callable[[], httpx.Response]:
            examples = [{"image": {"path": "0/0-0-0.jpg"}}]
            return lambda: http.post("/search", json={"examples": examples, "limit": 60, **more})

        requests: dict[str, Callable[[], httpx.Response]] = {
            "first grid: a click on a picture": search(),
            "the same, in one folder": search(filter={"folder": "0"}),
            "a varied sample": lambda: http.get("/sample"),
            "one more page of the library": next_page,
            "status": lambda: http.get("/status"),
            "what is known of one": lambda: http.get("/images/0/0-0-0.jpg"),
        }
        report = {name: timed(request, given.rounds) for name, request in requests.items()}
    document = {"images": given.images, "fill_s": fill_s, "requests": report}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


def timed(request: Callable[[], httpx.Response], rounds: int) -> dict[str, float]:
    """First, median and 95th percentile in milliseconds. Raises HTTPStatusError."""
    took = []
    for _ in range(rounds):
        begun_s = time.perf_counter()
        request().raise_for_status()
        took.append(1000 * (time.perf_counter() - begun_s))
    return {
        "first": round(took[0], 1),
        "p50": round(float(np.quantile(took, 0.5)), 1),
        "p95": round(float(np.quantile(took, 0.95)), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
