"""The files of a library of several folders. Each folder is there or not by itself: one that is missing loses nothing.

What of one folder alone is asked of its own FolderLibrary; here paths get and lose the name of the folder.
"""

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path

from lookalike.library.folder import EMPTY, FileEntry, FolderLibrary
from lookalike.library.joined.folders import Joined, split_name
from lookalike.library.joined.rules import JoinedCandidates
from lookalike.library.links import Links
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.library.version import FileVersion


class JoinedLibrary(FolderLibrary):
    """Several folders under the root that joins them."""

    def __init__(self, root: Path, joined: Joined, candidates: JoinedCandidates, *, follows_links: bool) -> None:
        self.parts: Mapping[str, FolderLibrary] = {
            name: FolderLibrary(
                Path(os.path.realpath(folder)), candidates.parts[name], Links() if follows_links else None
            )
            for name, folder in joined.folders.items()
        }
        super().__init__(root, candidates, _JoinedLinks({name: part.links for name, part in self.parts.items()}))
        self.ignore_files = frozenset(f"{name}/{IGNORE_FILE}" for name in self.parts)

    @property
    def candidates(self) -> Candidates:
        """The rules, those of each folder with it. Replaced as a whole."""
        return self._rules

    @candidates.setter
    def candidates(self, rules: Candidates) -> None:
        assert isinstance(rules, JoinedCandidates)  # noqa: S101 (made by the same function as the first ones)
        self._rules = rules
        for name, part in self.parts.items():
            part.candidates = rules.parts[name]

    def stat(self, path: str) -> FileVersion | None:
        """The file as it is now; None if there is no file, or a link that does not count."""
        part, rest = self._part(path)
        return None if part is None else part.stat(rest)

    def is_gone(self, path: str) -> bool:
        """Whether no file has this name; False while its folder is missing.

        A path of no folder here is from before the folders were joined: any of them may have had it.
        """
        part, rest = self._part(path)
        if part is None:
            return all(each.absence() is None for each in self.parts.values())
        return part.is_gone(rest) and part.absence() is None

    def files(self, under: str = "") -> Iterator[FileEntry]:
        """Every candidate in this folder and below, of those that are there."""
        for name, part, rest in self._parts_under(under):
            for file in part.files(rest):
                yield FileEntry(f"{name}/{file.path}", file.version)

    def ignored(self) -> Iterator[tuple[str, str]]:
        """What is left out, and the rule that does it."""
        for name, part in self.parts.items():
            for path, rule in part.ignored():
                yield f"{name}/{path}", rule

    def entries(self, under: str, unreadable: Callable[[str], None]) -> Iterator[tuple["os.DirEntry[str]", str, bool]]:
        """Everything but folders, with its path and whether it is a candidate. Reports unreadable folders."""
        for name, part, rest in self._parts_under(under):
            for entry, path, is_candidate in part.entries(rest, partial(_report, unreadable, name)):
                yield entry, f"{name}/{path}", is_candidate

    def absence(self) -> str | None:
        """Why all of it is unavailable; None if one of the folders holds something."""
        reasons = [part.absence() for part in self.parts.values()]
        if None in reasons:
            return None
        return next((reason for reason in reasons if reason != EMPTY), EMPTY)

    def partial_absence(self) -> str:
        """Which of the folders are missing, in a sentence with the remedy; empty if none is."""
        missing = [f"{part.root} {reason}" for part in self.parts.values() if (reason := part.absence()) is not None]
        if not missing:
            return ""
        return f"{'; '.join(missing)}: nothing of it is removed, mount its disk, or start without it (--only-these)."

    def identity(self) -> Hashable | None:
        """Differs when one of the folders comes, goes or is another one."""
        return tuple(part.identity() for part in self.parts.values())

    def _part(self, path: str) -> tuple[FolderLibrary | None, str]:
        name, rest = split_name(path)
        return (self.parts.get(name) if rest else None), rest

    def _parts_under(self, under: str) -> Iterator[tuple[str, FolderLibrary, str]]:
        if not under:
            yield from ((name, part, "") for name, part in self.parts.items())
            return
        name, rest = split_name(under)
        if name in self.parts:
            yield name, self.parts[name], rest


class _JoinedLinks(Links):
    """The links of several folders, each of which learns its own."""

    def __init__(self, parts: Mapping[str, Links]) -> None:
        super().__init__(max_links=0)
        self._parts = parts

    def remove_link(self, link: str) -> None:
        """Removes a link that was deleted."""
        name, rest = split_name(link)
        if name in self._parts:
            self._parts[name].remove_link(rest)

    def other_names(self, path: str) -> list[str]:
        """The links that lead to this file, and the other names of its inode, in its own folder."""
        name, rest = split_name(path)
        return [f"{name}/{other}" for other in self._parts[name].other_names(rest)] if name in self._parts else []

    def pop_incomplete(self) -> bool:
        """Whether an inode with an unknown name was seen in one of them."""
        found = [links.pop_incomplete() for links in self._parts.values()]
        return any(found)


def _report(unreadable: Callable[[str], None], name: str, folder: str) -> None:
    unreadable(f"{name}/{folder}" if folder else name)
