"""The catalogue: which collections and aliases exist, with their settings. An immutable value.

Uses no engine and no disk. Its JSON is the only file that tells what exists (edge/store.py writes it), so a collection
and the aliases that point to it can never disagree.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from edge.errors import BadInput, Conflict, NotFound

FORMAT = 1
DISTANCES = ("Cosine", "Dot", "Euclid", "Manhattan")
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True)
class VectorSetting:
    """One named vector: its dimension, the distance by Qdrant's name for it, and how it is kept."""

    size: int
    distance: str
    on_disk: bool | None = None
    # As Qdrant writes it: {"scalar": {"type": "int8", ...}}.
    quantization_config: dict[str, Any] | None = None


@dataclass(frozen=True)
class Entry:
    """One collection; `folder` is where its shard lies, below the shards folder."""

    folder: str
    vectors: dict[str, VectorSetting]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """Collections by name, and aliases: alias -> collection name."""

    collections: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """The collection's own name for a name or an alias. Raises NotFound."""
        found = self.aliases.get(name, name)
        if found not in self.collections:
            raise NotFound(f"Not found: Collection `{name}` doesn't exist!")
        return found

    def with_collection(self, name: str, entry: Entry) -> "Catalogue":
        """Raises BadInput for an invalid name, Conflict for one that exists."""
        check_name(name)
        self._check_no_collection(name)
        if name in self.aliases:
            raise BadInput(f"Wrong input: Can't create collection with name {name}. Alias with the same name exists")
        return replace(self, collections={**self.collections, name: entry})

    def without_collection(self, name: str) -> "Catalogue":
        """Removes the collection and its aliases."""
        return Catalogue(
            collections={key: entry for key, entry in self.collections.items() if key != name},
            aliases={alias: target for alias, target in self.aliases.items() if target != name},
        )

    def with_metadata(self, name: str, changes: dict[str, Any]) -> "Catalogue":
        """Merges into the collection's metadata; a key set to null is removed, as in Qdrant."""
        entry = self.collections[name]
        merged = {key: value for key, value in {**entry.metadata, **changes}.items() if value is not None}
        return replace(self, collections={**self.collections, name: replace(entry, metadata=merged)})

    def with_folder(self, name: str, folder: str) -> "Catalogue":
        """Names another folder as the collection's shard."""
        entry = replace(self.collections[name], folder=folder)
        return replace(self, collections={**self.collections, name: entry})

    def with_alias(self, alias: str, name: str) -> "Catalogue":
        """Points the alias to the collection, also if it pointed to another one. Raises NotFound, Conflict."""
        check_name(alias)
        if name not in self.collections:
            raise NotFound(f"Not found: Collection `{name}` doesn't exist!")
        self._check_no_collection(alias)
        return replace(self, aliases={**self.aliases, alias: name})

    def without_alias(self, alias: str) -> "Catalogue":
        """Deleting an alias that does not exist is no error, as in Qdrant."""
        return replace(self, aliases={key: target for key, target in self.aliases.items() if key != alias})

    def with_alias_renamed(self, old: str, new: str) -> "Catalogue":
        """Raises NotFound if there is no alias of the old name."""
        if old not in self.aliases:
            raise NotFound(f"Not found: Alias {old} does not exists!")
        return self.without_alias(old).with_alias(new, self.aliases[old])

    def to_json(self) -> bytes:
        """The content of the catalogue file."""
        return orjson.dumps(
            {"format": FORMAT, "collections": self.collections, "aliases": self.aliases}, option=orjson.OPT_INDENT_2
        )

    @classmethod
    def from_json(cls, content: bytes) -> "Catalogue":
        """Raises ValueError for anything that `to_json` did not write."""
        try:
            read = orjson.loads(content)
            found = read["format"]
            collections = {
                name: Entry(
                    folder=entry["folder"],
                    vectors={key: VectorSetting(**setting) for key, setting in entry["vectors"].items()},
                    metadata=entry["metadata"],
                )
                for name, entry in read["collections"].items()
            }
            aliases = dict(read["aliases"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not a catalogue ({error!r})") from error
        if found != FORMAT:
            raise ValueError(f"it has format {found}, this version reads {FORMAT}")
        return cls(collections, aliases)

    def _check_no_collection(self, name: str) -> None:
        if name in self.collections:
            raise Conflict(f"Wrong input: Collection `{name}` already exists!")


def check_name(name: str) -> None:
    """Raises BadInput unless the name can be a part of a path and of a URL."""
    if NAME.fullmatch(name) is None:
        raise BadInput(f"Wrong input: name {name!r} must be 1 to 128 of A-Z, a-z, 0-9, _ and -")
