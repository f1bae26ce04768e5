"""`python -m worker.prepare [--rebuild]`: checks the model and makes or checks the collection, before anything starts.

With `--wait`, for a container, it waits for broker and store for as long as it takes, and refuses a library that it
cannot read.

With `--second`, for a reindex that begins, it first sees that this machine has room for another model and index, and
embeds one image.

`python -m worker.prepare --check-model` only embeds one image with the model that is set, and prints how as one line of
JSON, for `lookalike doctor`. Exit code 1 and one sentence on stderr if the model, the store or the index does not fit,
75 if they cannot be reached.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.telemetry import Telemetry
from lookalike.errors import LookalikeError, Misconfigured, Refused, Unreachable
from lookalike.library.address import BucketAddress
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger, log_to_stderr
from lookalike.settings import Settings, read_settings
from lookalike.system.alive_file import alive_while_starting, library_trouble
from lookalike.system.data_folder import data_folder
from lookalike.system.generation_file import GenerationFile
from lookalike.system.room import MIB, available_mib, refusal
from worker.connecting import library_root, load_embedder, qdrant_of
from worker.errors import StoreRefused
from worker.generations import generations_of
from worker.index.collection import recorded_provider
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import CollectionSpec
from worker.index.opener import IndexOpener
from worker.index.qdrant import call_store
from worker.inference.embedder import card_at, model_path
from worker.inference.provider_selection import select_for_new_index
from worker.inference.providers import CPU, PROVIDERS, open_session
from worker.retry_budget import retry_while_unavailable
from worker.serving import served_now
from worker.verdicts.kept import verdicts_of

log = get_logger(__name__)

# Broker or store cannot be reached now (sysexits.h, EX_TEMPFAIL).
EXIT_TRY_AGAIN = 75
# `up` has seen the store answer by now; a store on another machine is retried for a moment.
RETRY_FOR_S = 5.0


def prepare(settings: Settings, *, rebuild: bool, former_ids: Sequence[str] = (), retry_for_s: float) -> str:
    """Name of the collection, which exists and fits now. Raises LookalikeError."""
    library_root(settings)
    try:
        retry_while_unavailable(lambda: forget_report(settings), for_s=retry_for_s)
        if not rebuild:
            retry_while_unavailable(lambda: restore_generations(settings), for_s=retry_for_s)
        served = settings if rebuild else retry_while_unavailable(lambda: served_now(settings), for_s=retry_for_s)
        name = prepare_index(served, rebuild=rebuild, former_ids=former_ids, retry_for_s=retry_for_s)
        if rebuild:
            retry_while_unavailable(lambda: forget_generations(settings), for_s=retry_for_s)
    except (Unavailable, StoreRefused) as error:
        raise Unreachable(f"The index cannot be prepared: {error}. Check QDRANT_URL and REDIS_URL.") from error
    mend_verdicts(settings)
    return name


def prepare_index(settings: Settings, *, rebuild: bool, retry_for_s: float, former_ids: Sequence[str] = ()) -> str:
    """Makes or checks the collection and returns its name.

    Raises Unavailable after `retry_for_s`, CollectionMismatch, Misconfigured.
    """
    path = model_path(settings)
    card = card_at(path)
    client = qdrant_of(settings)

    def recorded() -> str | None:
        return None if rebuild else call_store(recorded_provider, client, settings.name)

    provider = retry_while_unavailable(lambda: select_for_new_index(settings, recorded), for_s=retry_for_s)
    if provider != CPU:
        # Better refused here, in one sentence, than by workers that die as soon as they start.
        open_session(path, provider)
    spec = CollectionSpec(
        settings.name,
        card,
        settings.distance,
        library_id=settings.library_id,
        provider=provider,
        former_ids=frozenset(former_ids),
        options=CollectionOptions.of(settings),
        succeeds=settings.succeeds,
    )
    opener = IndexOpener(client, redis_of(settings), settings.keys, spec)
    name = retry_while_unavailable(lambda: opener.open(rebuild=rebuild), for_s=retry_for_s).name
    kept = retry_while_unavailable(lambda: call_store(client.get_collection, name), for_s=retry_for_s)
    for difference in spec.options.differences(kept.config):
        log.warning("an index is kept as it was made", why=f"{difference}: --rebuild makes it anew")
    return name


def mend_verdicts(settings: Settings) -> None:
    """Lets file and collection of the verdicts know the same, before one of both can be lost."""
    if settings.data is None:
        return
    verdicts = verdicts_of(qdrant_of(settings), settings, sha256_of=lambda _paths: {})
    try:
        verdicts.mend()
    except (LookalikeError, Unavailable, StoreRefused) as error:
        # They are compared again whenever they are read.
        log.warning("verdicts are not compared", why=str(error))


def forget_report(settings: Settings) -> None:
    """Removes what the producer reported before this start. Raises Unavailable."""
    try:
        Telemetry(redis_of(settings), settings.keys).forget_report()
    except (RedisError, OSError) as error:
        raise Unavailable(f"the broker does not answer ({error})") from error


def restore_generations(settings: Settings) -> None:
    """Tells a broker that was emptied what the data folder knows, and finishes a switch that was cut off.

    Then alias and broker may tell of different generations. Raises Unavailable.
    """
    # No search process runs yet.
    generations = replace(generations_of(settings), count_searching=lambda: 0)
    try:
        if settings.data is not None and settings.succeeds is None:
            GenerationFile(settings.data).restore(generations.state)
        asked = generations.state.read()
        if asked is not None and asked.state == "switching":
            generations.switch()
    except (RedisError, OSError) as error:
        raise Unavailable(f"the broker does not answer ({error})") from error


def forget_generations(settings: Settings) -> None:
    """After a rebuild: drops what other generations there are, and what the broker knows of them."""
    generations = generations_of(settings)
    try:
        generations.cancel()
        if generations.state.kept() is not None:
            generations.drop()
        generations.state.forget()
        if settings.data is not None:
            GenerationFile(settings.data).save(generations.state)
    except (RedisError, OSError) as error:
        raise Unavailable(f"the broker does not answer ({error})") from error


def require_readable(library: Path | BucketAddress) -> None:
    """Raises Misconfigured if this user cannot read the library's folder. `up` has looked by itself."""
    # A bucket is waited for like a server.
    trouble = library_trouble(library) if isinstance(library, Path) else ""
    if trouble:
        raise Misconfigured(trouble)


def need_room(settings: Settings) -> None:
    """Raises Refused if this machine has no room for a second generation by the model that is set, Misconfigured."""
    folder = None if settings.data is None else data_folder(settings).store
    model_mib = model_path(settings).stat().st_size / MIB
    why = refusal(folder, model_mib, settings.processes, memory_mib=available_mib())
    if why:
        raise Refused(why)


def check_model(settings: Settings) -> dict[str, str | int | float]:
    """Embeds one image with the model that is set, and returns how. Raises Misconfigured."""
    path = model_path(settings)
    embedder = load_embedder(settings, PROVIDERS.get(settings.provider, CPU))
    embedder.warm_up()
    begun = time.perf_counter()
    embedder.warm_up()
    took_ms = (time.perf_counter() - begun) * 1000
    card = embedder.card
    return {
        "name": card.name,
        "file": str(path),
        "precision": card.precision,
        "dimension": card.dimension,
        "backend": embedder.provider,
        "took_ms": round(took_ms, 1),
    }


def main() -> int:
    """Runs the program. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.prepare", description="Makes or checks the collection.")
    parser.add_argument("--rebuild", action="store_true", help="drop the index of this library and make a new one")
    parser.add_argument("--former-id", action="append", default=[], help="an earlier id of this library")
    parser.add_argument("--wait", action="store_true", help="wait for broker and store for as long as it takes")
    parser.add_argument("--second", action="store_true", help="look for room and try the model before")
    parser.add_argument("--check-model", action="store_true", help="embed one image and leave the index alone")
    arguments = parser.parse_args()
    try:
        if arguments.check_model:
            line = json.dumps(check_model(read_settings()))
        else:
            settings = read_settings()
            log_to_stderr(log_format=settings.log_format)
            if arguments.wait:
                require_readable(library_root(settings))
            if arguments.second:
                need_room(settings)
                check_model(settings)
            patience_s = float("inf") if arguments.wait else RETRY_FOR_S
            # The part begins with this program where it waits.
            with alive_while_starting(settings.alive_file if arguments.wait else None):
                line = prepare(
                    settings, rebuild=arguments.rebuild, former_ids=arguments.former_id, retry_for_s=patience_s
                )
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_TRY_AGAIN if isinstance(error, Unreachable) else 1
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
