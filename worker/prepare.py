"""`python -m worker.prepare [--rebuild]`: checks the model and makes or checks the collection, before anything starts.

Exit code 1 and one sentence on stderr if the model, the store or the index does not fit.
"""

import argparse
import sys
from collections.abc import Sequence

from lookalike.broker import redis_of
from lookalike.errors import LookalikeError, Unreachable
from lookalike.log import log_to_stderr
from lookalike.settings import Settings, read_settings
from worker.collection import Wish
from worker.context import library_root, qdrant_of
from worker.embedder import card_at, model_path
from worker.errors import StoreRefused, Unavailable
from worker.index_opener import IndexOpener
from worker.provider_selection import backend_to_make_with
from worker.providers import CPU, open_session
from worker.retry import retry_while_unavailable

# `up` has seen the store answer by now; a store on another machine gets a little patience.
FOR_S = 5.0


def prepare(settings: Settings, *, rebuild: bool, former_ids: Sequence[str] = ()) -> str:
    """Name of the collection, which exists and fits now. Raises LookalikeError."""
    library_root(settings)
    try:
        return make(settings, rebuild=rebuild, former_ids=former_ids, for_s=FOR_S)
    except (Unavailable, StoreRefused) as error:
        raise Unreachable(f"The index cannot be prepared: {error}. Check QDRANT_URL and REDIS_URL.") from error


def make(settings: Settings, *, rebuild: bool, for_s: float, former_ids: Sequence[str] = ()) -> str:
    """Makes or checks the collection; its name. Raises Away after `for_s`, CollectionMismatch, Misconfigured."""
    path = model_path(settings)
    card = card_at(path)
    client = qdrant_of(settings)
    backend = retry_while_unavailable(lambda: backend_to_make_with(settings, client, rebuild=rebuild), for_s=for_s)
    if backend != CPU:
        # Better refused here, in one sentence, than by workers that die as soon as they start.
        open_session(path, backend)
    wish = Wish(
        settings.name,
        card,
        settings.distance,
        library_id=settings.library_id,
        backend=backend,
        former_ids=frozenset(former_ids),
    )
    opener = IndexOpener(client, redis_of(settings), settings.keys, wish)
    return retry_while_unavailable(lambda: opener.open(rebuild=rebuild), for_s=for_s).name


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.prepare", description="Makes or checks the collection.")
    parser.add_argument("--rebuild", action="store_true", help="drop the index of this library and begin anew")
    parser.add_argument("--former-id", action="append", default=[], help="a library that was ours before")
    arguments = parser.parse_args()
    log_to_stderr()
    try:
        name = prepare(read_settings(), rebuild=arguments.rebuild, former_ids=arguments.former_id)
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
