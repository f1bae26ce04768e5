"""Reads a JSON object field by field and says what is wrong with it. Knows nothing of Qdrant's objects.

null counts as "not given" everywhere, as it does in Qdrant.
"""

from collections.abc import Collection
from typing import Any

from edge.errors import BadInput, OutOfBounds

# The engine counts in unsigned 64 bits and adds one here and there.
LARGEST_COUNT = 2**62
# As in Qdrant (serde_json's limit). orjson reads 1,024 levels and writes 254: what is deeper could never be read back.
DEEPEST = 128


class Fields:
    """The fields of one JSON object; `where` is its path in the body, for the error sentences.

    A field that is neither in `known` nor null is refused: to ignore what we do not offer would be a wrong answer.
    """

    def __init__(self, value: object, where: str, known: Collection[str]) -> None:
        if not isinstance(value, dict):
            raise BadInput(f"Format error in JSON body: {where}: expected an object, found {kind(value)}")
        for key, given in value.items():
            if key not in known and given is not None:
                raise BadInput(f"Wrong input: {where}: `{key}` is not supported here, only {', '.join(sorted(known))}")
        self.where = where
        self._values = value

    def get(self, key: str) -> Any:
        """The field as it came, None where it is missing."""
        return self._values.get(key)

    def required(self, key: str) -> Any:
        """The field as it came. Raises BadInput where it is missing."""
        value = self._values.get(key)
        if value is None:
            raise BadInput(f"Format error in JSON body: {self.where}: missing field `{key}`")
        return value

    def text(self, key: str) -> str:
        """A string that must be there."""
        value = self.required(key)
        if not isinstance(value, str):
            raise self._unfit(key, "a string", value)
        return value

    def array(self, key: str) -> list[Any]:
        """A list that must be there."""
        value = self.required(key)
        if not isinstance(value, list):
            raise self._unfit(key, "a list", value)
        return value

    def maybe_array(self, key: str) -> list[Any]:
        """A list, empty where it is missing."""
        return [] if self.get(key) is None else self.array(key)

    def mapping(self, key: str) -> dict[str, Any]:
        """An object that must be there; its own fields are free, and nested as deeply as can be kept."""
        value = self.required(key)
        if not isinstance(value, dict):
            raise self._unfit(key, "an object", value)
        check_depth(value, f"{self.where}.{key}")
        return value

    def flag(self, key: str) -> bool | None:
        """A boolean, None where it is missing."""
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._unfit(key, "a boolean", value)
        return value

    def number(self, key: str) -> float | None:
        """A number, None where it is missing."""
        value = self.get(key)
        if value is None:
            return None
        if not is_number(value):
            raise self._unfit(key, "a number", value)
        return float(value)

    def count(self, key: str, default: int, minimum: int, maximum: int = LARGEST_COUNT) -> int:
        """A whole number within its bounds, or the default. Raises OutOfBounds."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._unfit(key, "a whole number", value)
        if not minimum <= value <= maximum:
            raise OutOfBounds(
                f"Validation error in JSON body: [{self.where}.{key}: value {value} invalid, "
                f"must be from {minimum} to {maximum}]"
            )
        return value

    def _unfit(self, key: str, expected: str, value: object) -> BadInput:
        return BadInput(f"Format error in JSON body: {self.where}.{key}: expected {expected}, found {kind(value)}")


def check_depth(value: object, where: str, deepest: int = DEEPEST) -> None:
    """Raises BadInput for lists and objects nested too deeply. To be called on what is kept or parsed recursively."""
    if deepest == 0:
        raise BadInput(f"Format error in JSON body: {where}: recursion limit exceeded, more than {DEEPEST} levels")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        if isinstance(each, dict | list):
            check_depth(each, where, deepest - 1)


def is_number(value: object) -> bool:
    """True for a JSON number; a boolean is not one, although Python says so."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind(value: object) -> str:
    """What a JSON value is called in an error sentence."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a whole number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")
