"""`python -m worker.moving export OUT`, `import FILE` and others: moves an index. Commands of `lookalike` start it.

Prints one JSON document a line: {"done": 512, "of": 100000} while it works, at last {"report": {...}}. Exit code 1 and
one sentence on stderr if it cannot be done.
"""

import argparse
import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient
from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.index_state import IndexState
from lookalike.errors import LookalikeError, Refused, Unreachable
from lookalike.library.errors import Unavailable
from lookalike.settings import Settings, read_settings
from worker.connecting import qdrant_of
from worker.errors import StoreRefused
from worker.index.collection_options import CollectionOptions
from worker.moving.collections import OwnCollection, alias_target
from worker.moving.export import export
from worker.moving.files import reader_of
from worker.moving.foreign import take_foreign
from worker.moving.migrate import Migration
from worker.moving.restore import restore
from worker.moving.taking import take
from worker.moving.target import Target
from worker.moving.verdicts import carry_verdicts, known_lines

IMPORTED = "vectors were imported"


def run(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """What was done. Raises LookalikeError, Unavailable, StoreRefused."""
    client = qdrant_of(settings)
    try:
        match given.what:
            case "export":
                source = OwnCollection.behind(client, settings.name)
                return asdict(export(source, given.file, known_lines(settings, client), tell))
            case "import":
                reader = reader_of(given.file)
                if given.name:
                    report = take_foreign(settings, client, reader, given.name, tell)
                else:
                    report = take(settings, client, reader, tell)
                ask_for_scan(settings)
                return report
            case "restore":
                return restore(settings, client, reader_of(given.file), tell)
            case _:
                if given.to == settings.qdrant_url:
                    raise Refused(f"The index is at {given.to} already: name another store.")
                with closing(target_client(settings, given.to)) as there:
                    return migrate(settings, client, there)
    finally:
        client.close()


def migrate(settings: Settings, client: QdrantClient, there: QdrantClient) -> dict[str, Any]:
    """Copies the index that is searched, and the verdicts before the copy can be used. Returns what was done.

    `left` is the collection that a reindex fills in, which stays where it is; empty if none is under way.
    """
    source = OwnCollection.behind(client, settings.name)
    target = target_of(settings, there, source)
    # What is not ours there is refused before anything is written.
    target.open()
    verdicts = carry_verdicts(settings, client, there)
    done = Migration(source, target, tell).run()
    # What was told while it was copied.
    verdicts += carry_verdicts(settings, client, there)
    left = alias_target(client, settings.keys.next.system)
    return {**asdict(done), "verdicts": verdicts, "left": left or ""}


def ask_for_scan(settings: Settings) -> None:
    """Lets a running system compare what was imported with the library. Raises Unreachable."""
    if settings.redis_url is None:
        return
    try:
        IndexState(redis_of(settings), settings.keys).report_change(IMPORTED, recreated=False)
    except (RedisError, OSError) as error:
        raise Unreachable(
            f"The vectors are in the index, and the broker does not answer ({error}): start the system again, whose "
            "first scan compares them with the library."
        ) from error


def target_client(settings: Settings, url: str) -> QdrantClient:
    """A client of the store that is migrated to, with its own key. Raises Misconfigured."""
    return qdrant_of(settings.model_copy(update={"qdrant_url": url, "qdrant_api_key": settings.target_api_key}))


def target_of(settings: Settings, there: QdrantClient, source: OwnCollection) -> Target:
    """The copy at another store, under the same names. Raises Refused if the data folder is of another library."""
    ours, known = source.identity.library_id, settings.library_id
    if known not in (None, ours):
        raise Refused(
            f"The index is that of the library {ours}, and the data folder belongs to {known}: set "
            f"LOOKALIKE_LIBRARY_ID={ours} if they are the same."
        )
    return Target(
        there,
        settings.name,
        source.name,
        source.identity,
        source.dimensions,
        CollectionOptions.of(settings),
        settings.store_request_bytes,
    )


def tell(done: int, of: int) -> None:
    """One line for the command that shows the progress."""
    say({"done": done, "of": of})


def say(document: dict[str, Any]) -> None:
    """One JSON document on standard output, at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the program. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.moving", description="Moves an index.")
    subcommands = parser.add_subparsers(dest="what", required=True)
    for name in ("export", "import", "restore"):
        subcommand = subcommands.add_parser(name)
        subcommand.add_argument("file", type=Path)
        if name == "import":
            subcommand.add_argument("--as", dest="name", help="the name of another program's vectors")
    subcommands.add_parser("migrate").add_argument("to")
    given = parser.parse_args()
    try:
        say({"report": run(read_settings(), given)})
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (Unavailable, StoreRefused) as error:
        sys.stderr.write(f"The store cannot be worked with: {error}. Check QDRANT_URL, or `lookalike logs store`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
