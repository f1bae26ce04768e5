"""`python -m worker.prepare [--rebuild]`: checks the model and makes or checks the collection, before anything starts.

Exit code 1 and one sentence on stderr if the model, the store or the index does not fit.
"""

import argparse
import sys

from lookalike.board import Board
from lookalike.broker import redis_of
from lookalike.errors import LookalikeError, Unreachable
from lookalike.log import log_to_stderr
from lookalike.settings import Settings, read_settings
from worker.backends import CPU, open_session
from worker.choosing import backend_to_make_with
from worker.collection import ensure
from worker.embed import card_at, model_path
from worker.equipment import library_root, qdrant_of
from worker.errors import Away, StoreRefused
from worker.index import answered
from worker.patience import wait_out

# `up` has seen the store answer by now; a store on another machine gets a little patience.
FOR_S = 5.0


def prepare(settings: Settings, *, rebuild: bool) -> str:
    """Name of the collection, which exists and fits now. Raises LookalikeError."""
    library_root(settings)
    try:
        return make(settings, rebuild=rebuild, for_s=FOR_S)
    except (Away, StoreRefused) as error:
        raise Unreachable(f"The store cannot be used: {error}. Check QDRANT_URL.") from error


def make(settings: Settings, *, rebuild: bool, for_s: float) -> str:
    """Makes or checks the collection; its name. Raises Away after `for_s`, CollectionMismatch, Misconfigured."""
    path = model_path(settings)
    card = card_at(path)
    client = qdrant_of(settings)
    backend = wait_out(lambda: backend_to_make_with(settings, client, rebuild=rebuild), for_s=for_s)
    if backend != CPU:
        # Better refused here, in one sentence, than by workers that die as soon as they start.
        open_session(path, backend)
    name, _, made = wait_out(
        lambda: answered(
            ensure,
            client,
            settings.name,
            card,
            settings.distance,
            library_id=settings.library_id,
            rebuild=rebuild,
            backend=backend,
        ),
        for_s=for_s,
    )
    if made:
        Board(redis_of(settings), settings.names).forget_totals()
    return name


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.prepare", description="Makes or checks the collection.")
    parser.add_argument("--rebuild", action="store_true", help="drop the index that is there and begin anew")
    arguments = parser.parse_args()
    log_to_stderr()
    try:
        name = prepare(read_settings(), rebuild=arguments.rebuild)
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
