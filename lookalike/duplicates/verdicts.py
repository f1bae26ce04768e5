"""A person's verdicts on two pictures. Pure: nothing is read or written here.

A verdict is about two contents, by their SHA-256: it holds for each file that has one of them, so it survives moves,
renames and another model. The newest verdict about a pair is the one that counts, so copies of a collection of
verdicts are merged in any order, and a verdict is withdrawn by a newer one that says `none`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeVar, get_args

from pydantic import AfterValidator, StringConstraints, ValidationError, model_validator

from lookalike.duplicates.groups import Label
from lookalike.search.query import Sha256
from lookalike.strict import Strict

# not-duplicates: never shown as a pair. keep-both: shown, and both are kept. same: one picture, of which `better` is
# the one to keep. none: the verdict before is withdrawn.
Verdict = Literal["not-duplicates", "keep-both", "same", "none"]
VERDICTS: Sequence[Verdict] = get_args(Verdict)


def _check_instant(text: str) -> str:
    datetime.fromisoformat(text)
    return text


# A fixed width, so that the order of texts is that of times: 2026-11-30T01:02:03.000004Z.
Instant = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"), AfterValidator(_check_instant)
]
# Two contents, the lesser first.
Contents = tuple[str, str]


class PairVerdict(Strict):
    """A verdict about the contents `a` and `b`, which are in order; one line of JSON in a file of verdicts.

    `better` is one of both where the verdict is `same`. `path_a` and `path_b` are where the files lay then,
    for a reader; nothing goes by them.
    """

    v: Literal[1] = 1
    a: Sha256
    b: Sha256
    verdict: Verdict
    better: Sha256 | None = None
    at: Instant
    path_a: str | None = None
    path_b: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.a > self.b:
            raise ValueError("`a` and `b` must be in order")
        check_said(self.verdict, has_better=self.better is not None, one_content=self.a == self.b)
        if self.better not in {None, self.a, self.b}:
            raise ValueError("`better` must be one of both")
        return self

    @property
    def contents(self) -> Contents:
        """The pair."""
        return self.a, self.b

    @property
    def line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(self.model_dump(exclude_none=True), ensure_ascii=False, separators=(",", ":"))

    def says_as(self, other: "PairVerdict | None") -> bool:
        """Whether it says the same of the same pair."""
        return other is not None and (*self.contents, *self.meaning) == (*other.contents, *other.meaning)

    def is_newer(self, other: "PairVerdict | None") -> bool:
        """Whether it counts in place of the other; of two of one moment always the same one does."""
        return other is None or (self.at, self.line) > (other.at, other.line)

    @property
    def meaning(self) -> tuple[Verdict, str | None]:
        """The verdict, and the better content."""
        return self.verdict, self.better


class Verdicts:
    """The newest verdict of each pair of contents."""

    def __init__(self, verdicts: Iterable[PairVerdict] = ()) -> None:
        self._by_contents: dict[Contents, PairVerdict] = {}
        self._told_with: dict[str, set[str]] = {}
        for verdict in verdicts:
            self.add(verdict)

    def __iter__(self) -> Iterator[PairVerdict]:
        return iter(self._by_contents.values())

    def __len__(self) -> int:
        return len(self._by_contents)

    def add(self, verdict: PairVerdict) -> None:
        """Adds one; an older one about the same pair is dropped."""
        if verdict.is_newer(self._by_contents.get(verdict.contents)):
            self._by_contents[verdict.contents] = verdict
            for one, other in (verdict.contents, verdict.contents[::-1]):
                self._told_with.setdefault(one, set()).add(other)

    def get(self, one: str, other: str) -> PairVerdict | None:
        """What counts for a pair of contents in any order."""
        return self._by_contents.get(contents_of(one, other))

    def told_with(self, content: str) -> AbstractSet[str]:
        """The contents of the other side of all verdicts about this one."""
        return self._told_with.get(content, set())

    def among(self, contents: AbstractSet[str]) -> list[PairVerdict]:
        """What counts for the pairs of these contents; what was withdrawn is left out."""
        pairs = {contents_of(one, other) for one in contents for other in self.told_with(one) & contents}
        return [verdict for pair in sorted(pairs) if (verdict := self._by_contents[pair]).verdict != "none"]

    def says(self, verdict: Verdict, one: str, other: str) -> bool:
        """Whether that is the verdict about this pair."""
        found = self.get(one, other)
        return found is not None and found.verdict == verdict

    def better_of(self, one: str, other: str) -> str | None:
        """The content that a person called the better one; None without such a verdict."""
        found = self.get(one, other)
        return None if found is None else found.better

    def label(self, one: str, other: str, found: Label) -> Label | None:
        """The label of a pair of contents that was found to be `found`; None if it is not to be shown.

        What a person called the same picture is at least `near`.
        """
        verdict = self.get(one, other)
        if verdict is None or one == other:
            return found
        if verdict.verdict == "not-duplicates":
            return None
        return "near" if verdict.verdict == "same" and found in {"similar", "companion"} else found


def contents_of(one: str, other: str) -> Contents:
    """The pair of two contents, in order."""
    return (one, other) if one <= other else (other, one)


def check_said(verdict: Verdict, *, has_better: bool, one_content: bool) -> None:
    """Raises ValueError, with a sentence, for a verdict that makes no sense."""
    if has_better != (verdict == "same"):
        raise ValueError("`same` needs to be told which one is better, and no other verdict does")
    if one_content and verdict not in {"keep-both", "none"}:
        raise ValueError("two files with the same bytes can only be kept both: `keep-both`")


class Labelled(Protocol):
    """A pair of contents, by their SHA-256, with what it was found to be: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def a(self) -> str:
        """One content."""

    @property
    def b(self) -> str:
        """The other."""

    @property
    def label(self) -> Label:
        """What the pair was found to be."""


P = TypeVar("P", bound=Labelled)


def apply_verdicts(pairs: Iterable[P], verdicts: Verdicts) -> Iterator[P]:
    """The pairs that are left, with the labels that count.

    To be called before groups are made: a pair that is not to be shown joins nothing.
    """
    for pair in pairs:
        label = verdicts.label(pair.a, pair.b, pair.label)
        if label == pair.label:
            yield pair
        elif label is not None:
            yield replace(pair, label=label)


def parse_line(line: str) -> PairVerdict:
    """The verdict of one line of JSON. Raises ValueError with what is wrong with it, in a few words."""
    try:
        return PairVerdict.model_validate_json(line)
    except ValidationError as error:
        raise ValueError(words_of(error)) from None


def words_of(error: ValueError) -> str:
    """What is wrong, in a few words, with the field that is at fault."""
    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    words = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {words}" if where else words
