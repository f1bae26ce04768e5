"""The filter of a search: which files of the index may be found. The same in Python and in JSON; knows no store.

    {"folder": "trips", "format": "JPEG", "width_px": {"gte": 1000}, "taken_at": {"gte": "2023-05", "lte": "2024"}}

All fields that are given must hold. A number or a date alone means exactly that; `gte` and `lte` include their ends. A
date may be a year, a month, a day or a time: it covers all of that year, month or day. The same as text, in which a
list has one condition in each of its items (lookalike/search/filter_text.py):

    folder=trips format=JPEG width_px>=1000 taken_at>=2023-05 taken_at<=2024
"""

import calendar
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from lookalike.errors import Refused
from lookalike.library.paths import MAX_PATH_CHARS, validate_path
from lookalike.search.filter_text import check_known, fields_of, words_of
from lookalike.strict import Strict

# Stores compare numbers as doubles, which are exact up to here.
MAX_NUMBER = 2**53
MAX_FORMAT_CHARS = 40
_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def first_moment(value: object) -> datetime:
    """When a year, month, day or time begins; without a zone it is taken for UTC. Raises ValueError."""
    return _period(value)[0]


def last_moment(value: object) -> datetime:
    """When a year, month, day or time ends, to the microsecond. Raises ValueError."""
    return _period(value)[1]


def _folder(path: str) -> str:
    try:
        return validate_path(path.removesuffix("/"))
    except Refused as error:
        raise ValueError(str(error)) from error


def matcher_of(pattern: str) -> GitIgnoreSpec:
    """What tells whether a path matches, by `match_file`. Raises ValueError for what can match nothing."""
    try:
        spec = GitIgnoreSpec.from_lines([pattern])
    except GitIgnorePatternError:
        raise ValueError(f"{pattern!r} is no pattern") from None
    if [part.include for part in spec.patterns] != [True]:
        raise ValueError(f"{pattern!r} is no pattern of what is wanted")
    return spec


def _pattern(pattern: str) -> str:
    matcher_of(pattern)
    return pattern


def _or_alone(*others: dict[str, Any]) -> ConfigDict:
    """The configuration of a model whose JSON schema also allows these in its place."""

    def add(schema: dict[str, Any]) -> None:
        itself = dict(schema)
        schema.clear()
        schema["anyOf"] = [itself, *others]

    return ConfigDict(json_schema_extra=add)


class _Range(Strict):
    """Bounds, one or both, both included."""

    @model_validator(mode="before")
    @classmethod
    def _from_one_value(cls, value: Any) -> Any:
        """A value alone is both bounds."""
        return value if isinstance(value, Mapping | _Range) else {"gte": value, "lte": value}

    @model_validator(mode="after")
    def _can_match(self) -> "_Range":
        gte, lte = getattr(self, "gte", None), getattr(self, "lte", None)
        if gte is None and lte is None:
            raise ValueError("give a value, or gte, lte or both")
        if gte is not None and lte is not None and gte > lte:
            raise ValueError("gte is above lte, so nothing can match")
        return self


Number = Annotated[StrictInt, Field(ge=0, le=MAX_NUMBER)]


class Numbers(_Range):
    """Whole numbers from `gte` to `lte`."""

    model_config = _or_alone({"type": "integer", "minimum": 0, "maximum": MAX_NUMBER})

    gte: Number | None = None
    lte: Number | None = None


class Times(_Range):
    """Times from the beginning of `gte` to the end of `lte`."""

    model_config = _or_alone({"type": "string"})

    gte: Annotated[datetime, BeforeValidator(first_moment)] | None = None
    lte: Annotated[datetime, BeforeValidator(last_moment)] | None = None


Orientation = Literal["landscape", "portrait", "square"]


class SearchFilter(Strict):
    """What a found file must be: in `folder` or below it, of a format ("JPEG"), of a size, taken or changed then.

    `path` is a pattern as in .gitignore: a slash at the end means folders, one at the start or in the middle means the
    path from the library's root, `*` stays within one folder, `**` does not. `taken_at` is the time of the camera's
    clock, which mostly has no zone and is compared as if it was UTC. `modified_at` is the file's mtime. Widths, heights
    and orientations are those of the upright picture.
    """

    model_config = _or_alone({"type": "string"}, {"type": "array", "items": {"type": "string"}})

    folder: Annotated[str, StringConstraints(max_length=MAX_PATH_CHARS), AfterValidator(_folder)] | None = None
    path: Annotated[str, StringConstraints(max_length=MAX_PATH_CHARS), AfterValidator(_pattern)] | None = None
    format: Annotated[str, StringConstraints(min_length=1, max_length=MAX_FORMAT_CHARS, to_upper=True)] | None = None
    size_bytes: Numbers | None = None
    width_px: Numbers | None = None
    height_px: Numbers | None = None
    orientation: Orientation | None = None
    taken_at: Times | None = None
    modified_at: Times | None = None
    indexed_at: Times | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        """A line of text or a list of conditions, or the fields by name."""
        if isinstance(given, str):
            given = words_of(given)
        if isinstance(given, Sequence) and all(isinstance(word, str) for word in given):
            return fields_of(given, known=cls.model_fields, numbers=NUMBERS)
        if isinstance(given, Mapping):
            check_known(given.keys(), cls.model_fields)
        return given


# Fields whose values are whole numbers.
NUMBERS = ("size_bytes", "width_px", "height_px")


def orientation_of(width_px: int, height_px: int) -> Orientation:
    """How an upright picture of this size lies."""
    if width_px == height_px:
        return "square"
    return "landscape" if width_px > height_px else "portrait"


def _period(value: object) -> tuple[datetime, datetime]:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment, moment
    if isinstance(value, date):
        return _days(value, value)
    if not isinstance(value, str):
        raise ValueError("give a date or time in ISO 8601, such as 2024-05 or 2024-05-31T18:30:00")  # noqa: TRY004
    found = _PERIOD.fullmatch(value)
    if found is None:
        return _period(datetime.fromisoformat(value))
    year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    first = date(year, month or 1, day or 1)
    last_month = month or 12
    return _days(first, date(year, last_month, day or calendar.monthrange(year, last_month)[1]))


def _days(first: date, last: date) -> tuple[datetime, datetime]:
    return datetime.combine(first, time.min, UTC), datetime.combine(last, time.max, UTC)
