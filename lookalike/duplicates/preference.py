"""Which of several files of one picture is to be kept: the rule that a person names, and the reason it gives. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from lookalike.duplicates.groups import FileFacts
from lookalike.errors import Refused
from lookalike.library.paths import quoted, validate_path

RuleName = Literal["best", "oldest", "largest", "in"]
# What cameras write, before it was developed; then what has at most 256 colours.
RAW = frozenset({"ARW", "CR2", "CR3", "CRW", "DNG", "NEF", "ORF", "RAF", "RW2"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 and 9999.
FIRST_S, LAST_S = -62_135_596_800, 253_402_300_799
FEW_COLOURS = frozenset({"GIF", "ICO", "PCX"})


@dataclass(frozen=True)
class Criterion:
    """One thing to compare files by: the least `key` wins, and `words` tell the winner's."""

    key: Callable[[FileFacts], float | str]
    words: Callable[[FileFacts], str]


def _pixels(file: FileFacts) -> int:
    return file.width_px * file.height_px


def _kind(file: FileFacts) -> int:
    return 0 if file.format in RAW else 2 if file.format in FEW_COLOURS else 1


def date_of(file: FileFacts) -> str:
    """When the picture was taken, as EXIF says; else when the file was changed. ISO 8601, without a zone."""
    if file.taken_at is not None:
        return file.taken_at[:19]
    return instant_of(file.mtime_ns)[:19]


def instant_of(mtime_ns: int) -> str:
    """A time of a file in ISO 8601; one that no calendar here has becomes the nearest that it has."""
    return (EPOCH + timedelta(seconds=min(max(mtime_ns // 10**9, FIRST_S), LAST_S))).isoformat()


PIXELS = Criterion(lambda file: -_pixels(file), lambda file: f"most pixels, {file.width_px}x{file.height_px}")
EXIF = Criterion(lambda file: file.taken_at is None, lambda _: "its EXIF has the date")
KIND = Criterion(_kind, lambda file: f"{file.format} is the better format")
BYTES = Criterion(lambda file: -file.size_bytes, lambda file: f"most bytes, {file.size_bytes:,}")
DATE = Criterion(
    date_of, lambda file: f"oldest, {'taken' if file.taken_at is not None else 'changed'} {date_of(file)[:10]}"
)
CHANGED = Criterion(lambda file: file.mtime_ns, lambda _: "changed longest ago")
PATH = Criterion(lambda file: file.path, lambda _: "all are alike, and its path is the first")
BEST = (PIXELS, EXIF, KIND, BYTES, DATE, CHANGED, PATH)
CRITERIA: dict[RuleName, Sequence[Criterion]] = {
    "best": BEST,
    "oldest": (DATE, CHANGED, *BEST),
    "largest": (BYTES, *BEST),
    "in": BEST,
}


@dataclass(frozen=True)
class KeepRule:
    """`best`, `oldest`, `largest`, or `in:FOLDER`: the best of those in that folder of the library or below it."""

    name: RuleName = "best"
    folder: str | None = None

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The rule of a text. Raises Refused."""
        name, colon, folder = text.partition(":")
        if name == "in" and colon:
            return cls("in", folder_given(folder))
        for known in ("best", "oldest", "largest"):
            if text == known:
                return cls(known)
        raise Refused(f"{text!r} is no rule for what to keep: say best, oldest, largest or in:FOLDER.")

    @property
    def text(self) -> str:
        """As it is written."""
        return self.name if self.folder is None else f"in:{self.folder}"

    def choose(self, files: Sequence[FileFacts]) -> tuple[FileFacts, str]:
        """The file to keep, and why: by what it comes before the next one."""
        inside = [] if self.folder is None else [file for file in files if is_below(file.path, self.folder)]
        pool = inside or files
        criteria = CRITERIA[self.name]
        first, *others = sorted(pool, key=lambda file: [criterion.key(file) for criterion in criteria])
        reasons = [f"in {quoted(self.folder or '')}"] if inside else []
        if self.folder is not None and not inside:
            reasons.append(f"none is in {quoted(self.folder)}")
        if others:
            decisive = next(each for each in criteria if each.key(first) != each.key(others[0]))
            reasons.append(decisive.words(first))
        return first, "; ".join(reasons) or "the only one to choose from"

    def ranked(self, files: Sequence[FileFacts]) -> list[FileFacts]:
        """The files, the one to keep first."""
        criteria = CRITERIA[self.name]
        return sorted(
            files,
            key=lambda file: [
                self.folder is not None and not is_below(file.path, self.folder),
                *(criterion.key(file) for criterion in criteria),
            ],
        )


def folder_given(folder: str) -> str:
    """A folder of the library as it is compared. Raises Refused."""
    return validate_path(folder.rstrip("/") if folder.strip("/") else folder)


def is_below(path: str, folder: str) -> bool:
    """Whether the file is in that folder or below it."""
    return path.startswith(f"{folder}/")


def advantages(moved: FileFacts, kept: FileFacts) -> list[str]:
    """What a file that is to be moved has over the one that is kept: a reason to look again."""
    found = []
    if _pixels(moved) > _pixels(kept):
        found.append(f"more pixels, {moved.width_px}x{moved.height_px}")
    if _kind(moved) < _kind(kept):
        found.append(f"the better format, {moved.format}")
    if moved.taken_at is not None and kept.taken_at is None:
        found.append("a date in its EXIF")
    return found
