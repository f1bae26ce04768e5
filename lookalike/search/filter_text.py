"""The filter of a search as one line of text, for people: a command line, a setting, a field of a form. Pure.

    folder=trips format=JPEG width_px>=1000 taken_at>=2024-05 path='**/IMG_*.jpg'

Words between blanks, quoted as in a shell; each is a field, one of = >= <=, and a value. All must hold.
"""

import difflib
import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any

_WORD = re.compile(r"(?P<field>\w+)\s*(?P<sign><=|>=|=)(?P<value>.*)", re.DOTALL)
_BOUNDS = {"=": "", ">=": "gte", "<=": "lte"}


def words_of(text: str) -> list[str]:
    """The words of a line. Raises ValueError for a quote that does not end."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read ({error}): a value with blanks stands in quotes") from None


def fields_of(words: Sequence[str], *, known: Collection[str], numbers: Collection[str]) -> dict[str, Any]:
    """The fields as JSON has them: {"folder": "trips", "width_px": {"gte": 1000}}. Raises ValueError.

    `known` are the names of all fields, `numbers` those whose values are whole numbers.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, sign, text = _parts(word)
        check_known([name], known)
        value = _whole(name, text) if name in numbers else text
        if sign == "=":
            if name in found:
                raise ValueError(f"{name} is given twice")
            found[name] = value
            continue
        bounds = found.setdefault(name, {})
        if not isinstance(bounds, dict) or _BOUNDS[sign] in bounds:
            raise ValueError(f"{name} is given twice")
        bounds[_BOUNDS[sign]] = value
    return found


def check_known(names: Collection[Any], known: Collection[str]) -> None:
    """Raises ValueError for a name that is none of a field, with what is like it."""
    for name in names:
        if name not in known:
            like = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {like[0]}?" if like else f"there are {', '.join(known)}"
            raise ValueError(f"{str(name)[:40]!r} is no field of a filter: {hint}")


def _parts(word: str) -> tuple[str, str, str]:
    match = _WORD.fullmatch(word)
    if match is None or match["value"].startswith("="):
        raise ValueError(f"{word[:80]!r} is no condition: write a field, one of = >= <=, and a value")
    value = match["value"].strip()
    if not value:
        raise ValueError(f"{match['field']} has no value")
    return match["field"], match["sign"], value


def _whole(name: str, text: str) -> int:
    # Not int(): it also takes "1_000" and digits of other scripts.
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise ValueError(f"{name} is {text[:40]!r} and must be a whole number")
    return int(text)
