"""Which files of each group to keep, with a reason for each. Pure: a plan proposes, and moves nothing.

What it promises: a file is proposed to be moved only if it is itself a copy (`exact`, `same` or `near`) of a file that
is kept, by the verdict on the two. In a group each file is a copy of the centre; of two others that are only near it,
each may show what the other lacks. So where something else than the centre is kept, the centre may be kept as well.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal, Self

from lookalike.duplicates.groups import LABELS, FileFacts, Group, Label
from lookalike.duplicates.preference import KeepRule, advantages, folder_given, is_below
from lookalike.duplicates.verdicts import PairVerdict, Verdicts
from lookalike.library.paths import quoted
from lookalike.strict import Strict

# What may be moved where a copy of it is kept. Another picture of the same thing is no copy, and files that belong
# together stay together.
COPIES: frozenset[Label] = frozenset({"exact", "same", "near"})
# With these a label holds for a third file, too: a near copy of a picture is a near copy of the same pixels elsewhere.
AS_GOOD: frozenset[Label] = frozenset({"exact", "same"})


class PlannedFile(Strict):
    """What is proposed for one file, and why.

    A file to be moved is a copy, of this `label`, of `copy_of`, which is kept. The rest is what the index knows of it.
    """

    path: str
    action: Literal["keep", "move"]
    reason: str
    copy_of: str | None = None
    label: Label | None = None
    facts: FileFacts


class PlannedGroup(Strict):
    """What is proposed for a group: `keep` is the file that the rule chose, `why` its reason; others may be kept, too.

    `files` has the one to keep first, then in the order of the rule.
    """

    label: Label
    centre: str
    keep: str
    why: str
    files: list[PlannedFile]

    @property
    def moved(self) -> list[PlannedFile]:
        """The files that are proposed to be moved."""
        return [file for file in self.files if file.action == "move"]


class Savings(Strict):
    """What a plan comes to: its groups, and of the files to be moved how many they are and how many bytes they take."""

    groups: int = 0
    files: int = 0
    size_bytes: int = 0

    @classmethod
    def of(cls, groups: Iterable[PlannedGroup]) -> "Savings":
        """Those of planned groups."""
        return reduce(cls.with_group, groups, cls())

    def with_group(self, group: PlannedGroup) -> "Savings":
        """With those of one more group."""
        moved = group.moved
        return Savings(
            groups=self.groups + 1,
            files=self.files + len(moved),
            size_bytes=self.size_bytes + sum(file.facts.size_bytes for file in moved),
        )


@dataclass(frozen=True)
class Keeping:
    """What a person wants: a rule, folders of which nothing is ever moved, and the verdicts."""

    rule: KeepRule = field(default_factory=KeepRule)
    protected: Sequence[str] = ()
    verdicts: Verdicts = field(default_factory=Verdicts)

    @classmethod
    def asked(cls, rule: str, protected: Iterable[str], verdicts: Iterable[PairVerdict]) -> Self:
        """What these words ask for, with the verdicts on pairs. Raises Refused."""
        return cls(KeepRule.parsed(rule), [folder_given(folder) for folder in protected], Verdicts(verdicts))


def planned(groups: Iterable[Group], keeping: Keeping) -> Iterator[PlannedGroup]:
    """The plan of each group. Raises ValueError for a file in two groups of copies: one might move what another keeps.

    Another picture of the same thing, or what belongs to a file, may be in a second group: nothing is moved there.
    """
    seen: set[str] = set()
    for group in groups:
        if not COPIES.isdisjoint(pair.label for pair in group.pairs):
            if not seen.isdisjoint(group.paths):
                raise ValueError(f"{min(seen & {*group.paths})!r} is in two groups")
            seen.update(group.paths)
        yield plan_group(group, keeping)


def plan_group(group: Group, keeping: Keeping) -> PlannedGroup:
    """What to keep of one group; `files` of the group must tell of each of its paths."""
    copies = _Copies(group, keeping.verdicts)
    kept = _kept(copies, keeping)
    chosen, why = next(iter(kept.items()))
    files = [_planned_file(file, kept, copies) for file in keeping.rule.ranked(group.files)]
    files.sort(key=lambda file: file.path != chosen)
    return PlannedGroup(label=group.label, centre=group.centre, keep=chosen, why=why, files=files)


def saved_bytes(group: Group, keeping: Keeping) -> int:
    """The bytes of the files of a group that its plan would move; quicker than the plan."""
    copies = _Copies(group, keeping.verdicts)
    kept = _kept(copies, keeping)
    return sum(
        file.size_bytes for file in group.files if file.path not in kept and copies.of_kept(file.path, kept) is not None
    )


def _kept(copies: "_Copies", keeping: Keeping) -> dict[str, str]:
    """The paths to keep, each with its reason; first the one that the rule chose."""
    candidates = _not_worse(copies.files, keeping.verdicts)
    chosen, why = keeping.rule.choose(candidates)
    if len(candidates) < len(copies.files):
        why = f"you said that it is better than another one; {why}"
    kept = {chosen.path: why}
    ranked = keeping.rule.ranked(copies.all_files)
    for file in ranked:
        reason = _own_reason(file, keeping, copies)
        if reason is not None:
            kept.setdefault(file.path, reason)
    _keep_both(ranked, keeping.verdicts, kept)
    if any(copies.of_kept(file.path, kept) is None for file in copies.files):
        kept[copies.centre] = f"the others are copies of it, and not all of them of {quoted(chosen.path)}"
    return kept


class _Copies:
    """Which files of a group are copies of which."""

    def __init__(self, group: Group, verdicts: Verdicts) -> None:
        self._facts: Mapping[str, FileFacts] = {file.path: file for file in group.files}
        self.all_files = group.files
        self.centre = group.centre
        self._verdicts = verdicts
        self._pairs: dict[frozenset[str], Label] = {frozenset((pair.a, pair.b)): pair.label for pair in group.pairs}
        # Copies of the centre: of these one is chosen.
        self.files = [file for file in group.files if self.label(file.path, group.centre) in COPIES]

    def label(self, one: str, other: str) -> Label | None:
        """How sure it is that one is a copy of the other; None if nothing tells."""
        a, b = self._facts[one], self._facts[other]
        if self._verdicts.says("not-duplicates", a.sha256, b.sha256):
            return None
        if a.sha256 == b.sha256:
            return "exact"
        pair = self._pairs.get(frozenset((one, other)))
        if pair is not None or self.centre in {one, other}:
            return pair
        to_centre = self._to_centre(one), self._to_centre(other)
        if None in to_centre or AS_GOOD.isdisjoint(to_centre):
            return None
        return max((label for label in to_centre if label is not None), key=LABELS.index)

    def of_kept(self, path: str, kept: Mapping[str, str]) -> tuple[str, Label] | None:
        """The kept file of which this one is most surely a copy, itself if it is kept; None if it is a copy of none."""
        if path in kept:
            return path, "exact"
        labels = [(label, other) for other in kept if (label := self.label(path, other)) in COPIES]
        found = min(labels, key=lambda each: LABELS.index(each[0]), default=None)
        return None if found is None else (found[1], found[0])

    def apart(self, path: str) -> Label | None:
        """The label of a file that is no copy of the centre; None for a copy."""
        label = self.label(path, self.centre)
        return None if label in COPIES else label

    def facts(self, path: str) -> FileFacts:
        """What the index knows of it."""
        return self._facts[path]

    def _to_centre(self, path: str) -> Label | None:
        return self._pairs.get(frozenset((path, self.centre)))


def _not_worse(files: Sequence[FileFacts], verdicts: Verdicts) -> Sequence[FileFacts]:
    """Those for which no verdict names a better one; all of them, if there is one for each."""
    contents = {file.sha256 for file in files}
    pairs = _told_pairs(contents, verdicts)
    worse = {one for one, other in pairs if verdicts.better_of(one, other) == other}
    return [file for file in files if file.sha256 not in worse] or files


def _told_pairs(contents: set[str], verdicts: Verdicts) -> list[tuple[str, str]]:
    """The pairs among these contents with a verdict, both ways round."""
    return [(one, other) for one in contents for other in verdicts.told_with(one) & contents]


def _own_reason(file: FileFacts, keeping: Keeping, copies: _Copies) -> str | None:
    """Why a file is kept whatever the rule chose."""
    folder = next((folder for folder in keeping.protected if is_below(file.path, folder)), None)
    if folder is not None:
        return f"in the protected folder {quoted(folder)}"
    match copies.apart(file.path):
        case "similar":
            return "another picture of the same thing"
        case "companion":
            return "belongs to another file of the group"
    return None


def _keep_both(ranked: Sequence[FileFacts], verdicts: Verdicts, kept: dict[str, str]) -> None:
    """Keeps a file of each content that is to be kept with another one here; of one content alone, all its files."""
    why = "you said: keep both"
    files = {file.path: file for file in ranked}
    pairs = _told_pairs({file.sha256 for file in ranked}, verdicts)
    if not pairs:
        return
    wanted = {one for one, other in pairs if one != other and verdicts.says("keep-both", one, other)}
    for file in ranked:
        if verdicts.says("keep-both", file.sha256, file.sha256):
            kept.setdefault(file.path, why)
        if file.sha256 in wanted and file.sha256 not in {files[path].sha256 for path in kept}:
            kept[file.path] = why


def _planned_file(file: FileFacts, kept: Mapping[str, str], copies: _Copies) -> PlannedFile:
    if file.path in kept:
        return PlannedFile(path=file.path, action="keep", reason=kept[file.path], facts=file)
    found = copies.of_kept(file.path, kept)
    if found is None:
        return PlannedFile(path=file.path, action="keep", reason="no copy of what is kept", facts=file)
    path, label = found
    reason = {"exact": "the same bytes as", "same": "the same pixels as"}.get(label, "a copy of") + f" {quoted(path)}"
    better = advantages(file, copies.facts(path))
    if better:
        reason += f", but it has {' and '.join(better)}"
    return PlannedFile(path=file.path, action="move", reason=reason, copy_of=path, label=label, facts=file)
