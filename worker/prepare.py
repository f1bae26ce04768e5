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
from worker.collection import ensure
from worker.embed import card_at, model_path
from worker.equipment import library_root, qdrant_of
from worker.errors import Away
from worker.index import answered
from worker.patience import wait_out

# `up` has seen the store answer by now; a store on another machine gets a little patience.
FOR_S = 5.0


def prepare(settings: Settings, *, rebuild: bool) -> str:
    """Name of the collection, which exists and fits now. Raises LookalikeError."""
    library_root(settings)
    card = card_at(model_path(settings))
    client = qdrant_of(settings)
    try:
        name, _, made = wait_out(
            lambda: answered(
                ensure,
                client,
                settings.name,
                card,
                settings.distance,
                library_id=settings.library_id,
                rebuild=rebuild,
            ),
            for_s=FOR_S,
        )
    except Away as error:
        raise Unreachable(f"The store cannot be used: {error}. Check QDRANT_URL.") from error
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
