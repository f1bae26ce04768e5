"""What the data folder remembers of the generations of the index, so that a start needs no broker to know its model.

`generations.json` has what the broker has (lookalike/broker/generations.py): `served`, `kept` and `reindex`, each null
if there is none.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lookalike.broker.generations import Generation, GenerationState, Reindex
from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from lookalike.system.data_folder import write_private


@dataclass(frozen=True)
class GenerationFile:
    """The file in a data folder."""

    data: Path

    @property
    def _path(self) -> Path:
        return self.data / "generations.json"

    def save(self, state: GenerationState) -> None:
        """Writes what the broker knows now. Raises RedisError, OSError."""
        known: dict[str, Generation | Reindex | None] = {
            "served": state.served(), "kept": state.kept(), "reindex": state.read()
        }  # fmt: skip
        if not any(known.values()):
            self._path.unlink(missing_ok=True)
            return
        self._write(known)

    def save_served(self, served: Generation) -> None:
        """Writes that this generation is searched and there is no other. Raises OSError."""
        self._write({"served": served, "kept": None, "reindex": None})

    def restore(self, state: GenerationState) -> None:
        """Tells a broker that knows nothing of generations. Raises RedisError."""
        known = self._read()
        if not known or state.served() is not None or state.read() is not None:
            return
        if known["served"]:
            state.serve(Generation(**known["served"]))
        if known["kept"]:
            state.keep(Generation(**known["kept"]))
        if known["reindex"]:
            state.write(Reindex(**known["reindex"]))

    def served(self) -> Generation | None:
        """The generation that is searched since the last switch."""
        found = self._read().get("served")
        return None if not found else Generation(**found)

    def kept(self) -> Generation | None:
        """The generation from before it."""
        found = self._read().get("kept")
        return None if not found else Generation(**found)

    def generation_in(self, collection: str) -> Generation | None:
        """That of a collection that the alias led to: what is searched since a switch, or what is switched to now.

        None if it is the one of the settings.
        """
        served, asked = self.served(), self._read().get("reindex")
        if served is not None and served.collection == collection:
            return served
        if asked and asked["collection"] == collection:
            return Generation(asked["model"], asked["distance"], collection)
        return None

    def _write(self, known: Mapping[str, Generation | Reindex | None]) -> None:
        as_json = {name: None if found is None else asdict(found) for name, found in known.items()}
        write_private(self._path, json.dumps(as_json, indent=1))

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self._path.read_bytes())
            return found
        return {}


def with_served(settings: Settings, data: Path, absolute: Callable[[str], str] = str) -> Settings:
    """The settings with the model and metric that the last switch left. Raises Misconfigured if others are set.

    `absolute` makes the absolute path of a model that is given as a path.
    """
    served = GenerationFile(data).served()
    if served is None:
        return settings
    for name, option in (("model", "--model"), ("distance", "--distance")):
        given, now = getattr(settings, name), getattr(served, name)
        if name in settings.model_fields_set and absolute(given) != now:
            raise Misconfigured(
                f"The index was switched to the {name} {now!r}, and {given!r} is set: leave out {option} and "
                f"LOOKALIKE_{name.upper()}, or change it by `lookalike reindex {option} {given}` once it runs."
            )
    return settings.model_copy(update={"model": served.model, "distance": served.distance})
