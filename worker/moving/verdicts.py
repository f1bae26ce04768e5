"""Verdicts about duplicates travel with an index: out of a system's file and collection, and into another's.

Of two verdicts about one pair the newer counts, so they are taken in any order, and again.
"""

from collections.abc import Sequence

from qdrant_client import QdrantClient

from lookalike.duplicates.verdicts import PairVerdict, Verdicts, parse_line
from lookalike.errors import Refused
from lookalike.settings import Settings
from worker.moving.collections import patiently
from worker.verdicts.kept import KeptVerdicts, verdicts_of


def known_lines(settings: Settings, client: QdrantClient) -> Sequence[str]:
    """The verdicts of this system, withdrawn ones included, a line each. Raises CollectionMismatch, Unavailable."""
    known = patiently(_kept(settings, client).known)
    return [verdict.line for verdict in sorted(known, key=lambda each: (each.at, each.contents))]


def take_verdicts(settings: Settings, client: QdrantClient, lines: Sequence[str]) -> int:
    """Lets this system know them; returns how many are new. Raises Refused, CollectionMismatch, Unavailable."""
    verdicts = Verdicts(map(_read, lines))
    return patiently(lambda: _kept(settings, client).merge(verdicts))


def carry_verdicts(settings: Settings, client: QdrantClient, there: QdrantClient) -> int:
    """Lets the system of this name at another store know them; returns how many are new there."""
    return take_verdicts(settings.model_copy(update={"data": None}), there, known_lines(settings, client))


def _kept(settings: Settings, client: QdrantClient) -> KeptVerdicts:
    return verdicts_of(client, settings, sha256_of=_no_path)


def _no_path(_paths: Sequence[str]) -> dict[str, str]:
    """Each has the contents of both sides, so that none is looked up."""
    return {}


def _read(line: str) -> PairVerdict:
    try:
        return parse_line(line)
    except ValueError as error:
        raise Refused(
            f"The vectors are in the index, and none of the verdicts: one cannot be read ({error}). Install the "
            "version that wrote the file, or leave that one out."
        ) from error
