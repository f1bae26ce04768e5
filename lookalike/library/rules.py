"""Which names in a library are candidates for the index. Touches no disk.

Patterns have the semantics of gitignore, by pathspec: a slash at the end means folders, one at the start or in the
middle means the path from the library's root, `**` any folders, `!` takes back; the last pattern that matches decides,
and what lies in a folder that is left out stays out. Defaults come first, then the setting, then the file.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from lookalike.errors import Misconfigured
from lookalike.library.ignore_defaults import DEFAULT_IGNORE, HIDDEN

# In the library's root.
IGNORE_FILE = ".lookalikeignore"

# Downloads and copies that are not finished, and what editors keep.
PARTIAL_SUFFIXES = (
    ".part",
    ".crdownload",
    ".tmp",
    ".temp",
    ".partial",
    ".download",
    ".opdownload",
    ".swp",
    "~",
)
SPECIAL = frozenset("*?[]!/\\")
CACHED_FOLDERS = 4096


@dataclass(frozen=True)
class Candidates:
    """The rules: known extensions, nothing partial, nothing that a pattern leaves out.

    `ignore` are the patterns of LOOKALIKE_IGNORE, `lines` the lines of the ignore file, `defaults` those of
    LOOKALIKE_IGNORE_DEFAULTS. Raises Misconfigured for what can match nothing or leaves no candidate.
    """

    extensions: Iterable[str]
    ignore: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    defaults: tuple[str, ...] = DEFAULT_IGNORE
    _suffixes: frozenset[str] = field(init=False, repr=False, compare=False)
    _default_names: frozenset[str] = field(init=False, repr=False, compare=False)
    _folder_globs: "_Patterns" = field(init=False, repr=False, compare=False)
    _file_globs: "_Patterns" = field(init=False, repr=False, compare=False)
    _patterns: "_Patterns" = field(init=False, repr=False, compare=False)
    _hides: bool = field(init=False, repr=False, compare=False)
    _why_folder: Callable[[str], str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        def keep(**values: object) -> None:
            for name, value in values.items():
                object.__setattr__(self, name, value)

        names = tuple(pattern for pattern in self.defaults if not SPECIAL & set(pattern))
        globs = [
            ("LOOKALIKE_IGNORE_DEFAULTS", pattern)
            for pattern in self.defaults
            if SPECIAL & set(pattern) and pattern != HIDDEN
        ]
        keep(
            extensions=tuple(self.extensions),
            _suffixes=frozenset("." + extension.lower().lstrip(".") for extension in self.extensions),
            _default_names=frozenset(name.lower() for name in names),
            _folder_globs=_Patterns(globs),
            # The others can match no file but by its folder, which a walk has asked about.
            _file_globs=_Patterns([(where, pattern) for where, pattern in globs if not pattern.endswith("/")]),
            _patterns=_Patterns(
                [("LOOKALIKE_IGNORE", pattern) for pattern in self.ignore]
                + [(f"{IGNORE_FILE}:{number}", line) for number, line in enumerate(self.lines, 1)]
            ),
            _hides=HIDDEN in self.defaults,
            _why_folder=lru_cache(CACHED_FOLDERS)(self._why_not_entered),
        )
        _check_extensions(self.extensions)
        takes_back = any(pattern.startswith("!") for pattern in (*self.ignore, *self.lines))
        probes = [f"{folder}photo.{extension}" for folder in ("", "a/", "a/b/") for extension in self.extensions]
        if not takes_back and not any(map(self.is_candidate, probes)):
            raise Misconfigured(f"LOOKALIKE_IGNORE or {IGNORE_FILE} leaves out every file: name what to leave out.")

    def to_json(self) -> str:
        """The rules as JSON, from which `from_json` makes equal ones in another process."""
        named = {"extensions": self.extensions, "ignore": self.ignore, "lines": self.lines, "defaults": self.defaults}
        return json.dumps({name: list(values) for name, values in named.items()}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError, Misconfigured."""
        return cls(**{name: tuple(values) for name, values in json.loads(text).items()})

    @property
    def digest(self) -> str:
        """Tells these rules from others."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def is_candidate(self, path: str) -> bool:
        """Whether the file at this relative POSIX path belongs into the index."""
        return self.why_left_out(path) is None

    def is_candidate_in_folder(self, path: str, name: str) -> bool:
        """The same for a file whose folder is entered: a walk asks about each folder once, not for each file."""
        return self._why_not_a_candidate(path, name) is None

    def includes_folder(self, folder: str) -> bool:
        """Whether a walk goes into the folder at this relative POSIX path."""
        return self._why_folder(folder) is None

    def why_left_out(self, path: str) -> str | None:
        """The rule that leaves out the file at this relative POSIX path; None if it is a candidate."""
        folder, _, name = path.rpartition("/")
        return (self._why_folder(folder) if folder else None) or self._why_not_a_candidate(path, name)

    def why_not_entered(self, folder: str) -> str | None:
        """The rule that leaves out the folder at this relative POSIX path; None if it is entered."""
        return self._why_folder(folder)

    def _why_not_entered(self, folder: str) -> str | None:
        above, _, name = folder.rpartition("/")
        return (self._why_folder(above) if above else None) or self._why_ignored(folder + "/", name, self._folder_globs)

    def _why_not_a_candidate(self, path: str, name: str) -> str | None:
        lower = name.lower()
        stem, dot, extension = lower.rpartition(".")
        if not stem or dot + extension not in self._suffixes:
            return "LOOKALIKE_EXTENSIONS"
        if lower.endswith(PARTIAL_SUFFIXES):
            return "a file that is being written"
        return self._why_ignored(path, name, self._file_globs)

    def _why_ignored(self, path: str, name: str, default_globs: "_Patterns") -> str | None:
        decided, rule = self._patterns.decide(path)
        if decided is not None:
            return rule if decided else None
        if name.startswith(".") and self._hides:
            return f"LOOKALIKE_IGNORE_DEFAULTS: {HIDDEN}"
        if name.lower() in self._default_names:
            return f"LOOKALIKE_IGNORE_DEFAULTS: {name}"
        decided, rule = default_globs.decide(path)
        return rule if decided else None


class _Patterns:
    """Patterns in their order, each with where it stands. Raises Misconfigured for one that can match nothing."""

    def __init__(self, patterns: list[tuple[str, str]]) -> None:
        self._patterns = [
            (where, pattern) for where, pattern in patterns if pattern.strip() and not pattern.startswith("#")
        ]
        for where, pattern in self._patterns:
            _check_pattern(where, pattern)
        lines = [pattern for _, pattern in self._patterns]
        self._spec = GitIgnoreSpec.from_lines(lines) if lines else None

    def decide(self, path: str) -> tuple[bool | None, str]:
        """Whether the last pattern that matches leaves the path out (None if none matches), and that pattern."""
        if self._spec is None:
            return None, ""
        found = self._spec.check_file(path)
        return found.include, "" if found.index is None else ": ".join(self._patterns[found.index])


def _check_pattern(where: str, pattern: str) -> None:
    bare = pattern.strip().removeprefix("!")
    right = ""
    if "\\" in bare.rstrip("\\") and "/" not in bare:
        right = bare.replace("\\", "/")
    elif bare.startswith("./"):
        right = bare.removeprefix(".")
    if right:
        raise Misconfigured(f"{where}: {pattern!r} can match nothing: write {right!r}.")
    parts = bare.strip("/").split("/")
    try:
        spec = GitIgnoreSpec.from_lines([pattern])
    except GitIgnorePatternError:
        spec = None
    if spec is None or spec.patterns[0].regex is None or ".." in parts or "." in parts or not bare.strip("/"):
        raise Misconfigured(
            f"{where}: {pattern!r} can match nothing: a pattern is a name or a path below the library's root, "
            "as in a .gitignore file."
        )


def _check_extensions(extensions: Iterable[str]) -> None:
    words = tuple(extensions)
    for word in words:
        bare = word.strip().removeprefix("*").removeprefix(".")
        if word.startswith("*") or not bare or "." in bare or not bare.replace("-", "").replace("_", "").isalnum():
            parts = [part.strip("*.,;") for part in word.replace(";", " ").split()]
            right = ",".join(filter(None, parts)) or "jpg,png"
            raise Misconfigured(f"LOOKALIKE_EXTENSIONS: {word!r} is no extension: write {right}.")
    if not words:
        raise Misconfigured("LOOKALIKE_EXTENSIONS leaves no candidate: write some, as in jpg,png.")
