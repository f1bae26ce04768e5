"""What a file of vectors says of its rows: what they were made for, and how long the vectors are. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from lookalike import __version__
from lookalike.errors import Refused
from lookalike.search.query import By
from worker.index.identity import Identity

FORM = 1


@dataclass(frozen=True)
class Header:
    """`dimensions` are the lengths of the vectors of each row, `points` about how many rows there are.

    `collection` is where they were.
    """

    identity: Identity
    collection: str
    dimensions: Mapping[By, int]
    points: int
    made_at: str = ""
    made_by: str = ""

    @classmethod
    def now(cls, identity: Identity, collection: str, dimensions: Mapping[By, int], points: int) -> Self:
        """Of a file that is begun at this moment, by this version."""
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(identity, collection, dict(dimensions), points, made_at, __version__)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(
            {
                "form": FORM,
                "index": self.identity.metadata(),
                "collection": self.collection,
                "dimensions": dict(self.dimensions),
                "points": self.points,
                "made_at": self.made_at,
                "made_by": self.made_by,
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes, where: object) -> Self:
        """What `to_json` wrote into the file `where`. Raises Refused."""
        try:
            known: dict[str, Any] = json.loads(text)
            form = known["form"]
            identity = Identity.from_metadata(known["index"])
            found = cls(
                identity=identity or _raise(KeyError("index")),
                collection=str(known["collection"]),
                dimensions={by: int(known["dimensions"][by]) for by in identity.vectors} if identity else {},
                points=int(known["points"]),
                made_at=str(known["made_at"]),
                made_by=str(known["made_by"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"What {where} says of its vectors cannot be read ({error!r}): export it again.") from error
        if form != FORM:
            raise Refused(
                f"{where} has the form {form}, and this version reads {FORM}: take lookalike {found.made_by} for it."
            )
        return found


def _raise(error: Exception) -> Any:
    raise error
