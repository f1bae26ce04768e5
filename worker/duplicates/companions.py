"""Files that belong together: RAW and JPEG, HEIC and its JPEG, an edited copy and its original. By names and times."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import combinations
from pathlib import PurePosixPath

from lookalike.duplicates.groups import FileFacts

RAW = frozenset({"arw", "cr2", "cr3", "crw", "dng", "nef", "orf", "raf", "rw2"})
JPEG = frozenset({"jpg", "jpeg", "jpe", "jfif"})
HEIF = frozenset({"heic", "heif", "hif", "avif"})
# Cameras and telephones write them together.
TOGETHER = frozenset({frozenset({"raw", "jpeg"}), frozenset({"raw", "heif"}), frozenset({"heif", "jpeg"})})
# Names that editors give: IMG_E1234 by iOS, -edited by Google Photos, _edit and (edited) by others.
IOS_EDITED = re.compile(r"^(img)_e(\d+)$")
EDITED = re.compile(r"[-_ ]*\(?(?:edited|edit|bearbeitet|modifié|editada|editado)\)?(?:[-_ ]?\d{1,2})?$")
# Cameras number from nought again, so one name may come twice in a folder of many years.
SAME_MOMENT_S = 2.0


def companions(files: Iterable[FileFacts]) -> Iterator[tuple[FileFacts, FileFacts]]:
    """The pairs of files that belong together, the original or the RAW first, in order."""
    named: dict[tuple[str, str], list[FileFacts]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.path)
        named[str(path.parent), original_stem(path.stem)].append(file)
    for some in named.values():
        for a, b in combinations(sorted(some, key=_rank), 2):
            if are_companions(a, b):
                yield a, b


def are_companions(a: FileFacts, b: FileFacts) -> bool:
    """Whether two files of one folder and one original stem belong together."""
    if a.sha256 == b.sha256 or not _same_moment(a.taken_at, b.taken_at):
        return False
    edited = [is_edited(PurePosixPath(file.path).stem) for file in (a, b)]
    return edited[0] != edited[1] or (not any(edited) and frozenset({_kind(a), _kind(b)}) in TOGETHER)


def original_stem(stem: str) -> str:
    """The name that an edited copy was made from, in lower case."""
    lower = stem.lower()
    ios = IOS_EDITED.match(lower)
    return f"{ios[1]}_{ios[2]}" if ios else (EDITED.sub("", lower) or lower)


def is_edited(stem: str) -> bool:
    """Whether the name is one that an editor gave."""
    return original_stem(stem) != stem.lower()


def _kind(file: FileFacts) -> str:
    extension = PurePosixPath(file.path).suffix.lower().lstrip(".")
    kinds = (("raw", RAW), ("jpeg", JPEG), ("heif", HEIF))
    return next((name for name, extensions in kinds if extension in extensions), extension)


def _rank(file: FileFacts) -> tuple[bool, bool, str]:
    return is_edited(PurePosixPath(file.path).stem), _kind(file) != "raw", file.path


def _same_moment(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return True
    try:
        apart = datetime.fromisoformat(a).replace(tzinfo=None) - datetime.fromisoformat(b).replace(tzinfo=None)
    except ValueError:
        return a == b
    return abs(apart.total_seconds()) <= SAME_MOMENT_S
