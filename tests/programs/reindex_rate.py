"""How much a reindex gives way to searches: `python -m tests.programs.reindex_rate --photos 600 --rate 20`.

A real `lookalike up` with a small model, whose index is filled in a second time by the model that ships: once alone,
once with searches at a steady rate. Prints photos per second of both; exit code 1 if the second is below its share.
"""

import argparse
import sys
import tempfile
import time
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from qdrant_client.http.exceptions import UnexpectedResponse

from tests.local.conftest import Machine
from tests.programs.reindexing import Searching, lookalike, photos, say, up
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model

# Of the rate without searches that ingest keeps.
LEAST_SHARE = 0.3


def _measure(machine: Machine, given: argparse.Namespace) -> int:
    """How fast the model that ships fills in a second index, with and without searches."""
    names = photos(machine.library, given.photos)
    client = up(machine, tiny_model(machine.tmp_path / "old.onnx", copies=True))
    rates = {}
    for rate in (0.0, given.rate):
        searching = Searching(client, names, rate or 1.0)
        with searching.going_on() if rate else nullcontext():
            lookalike(machine, "reindex", "--model", "resnet", "--hold")
            rates[rate] = _rate(machine, given.photos)
        lookalike(machine, "reindex", "--cancel")
        failed = f"{len(searching.failed)} of {len(searching.seen)} failed"
        say(f"{rate:g} searches/s: {rates[rate]:.1f} photos/s, {failed}")
    share = rates[given.rate] / rates[0.0]
    say(f"share: {share:.2f}")
    client.close()
    return 0 if share >= LEAST_SHARE else 1


def _rate(machine: Machine, photos: int) -> float:
    """Photos per second of the second index, from the first ones that it has to the last."""
    assert machine.running is not None
    first: tuple[float, int] | None = None
    with closing(store_of(machine.running)) as store:
        while True:
            with suppress(UnexpectedResponse):
                done, now_s = store.count("lookalike-next").count, time.monotonic()
                if first is None and done:
                    first = now_s, done
                if first is not None and done >= photos:
                    return (done - first[1]) / (now_s - first[0])
            time.sleep(0.05)


def main() -> int:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.reindex_rate", description=__doc__)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--rate", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        try:
            return _measure(machine, given)
        finally:
            machine.clear()


if __name__ == "__main__":
    sys.exit(main())
