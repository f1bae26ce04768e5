"""The rules of several folders: each has those of its own ignore file, applied to paths within it."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from lookalike.library.joined.folders import split_name
from lookalike.library.rules import Candidates

TAKEN_OUT = "a folder that was taken out of the library"


class JoinedCandidates(Candidates):
    """Rules by the names of the folders. `dropped` are names of folders whose files do not belong into the index.

    What begins with no name of these is left to the question whether it is there: so are paths from the time before a
    library had several folders.
    """

    parts: Mapping[str, Candidates]
    dropped: tuple[str, ...]

    def __init__(self, parts: Mapping[str, Candidates], dropped: Iterable[str] = ()) -> None:
        object.__setattr__(self, "parts", dict(parts))
        object.__setattr__(self, "dropped", tuple(sorted(dropped)))

    def __eq__(self, other: object) -> bool:
        """Whether these are the same rules."""
        return isinstance(other, JoinedCandidates) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        """Equal for equal rules."""
        return hash(self.to_json())

    def __repr__(self) -> str:
        """For logs and tests."""
        return f"JoinedCandidates({self.parts!r}, dropped={self.dropped!r})"

    def to_json(self) -> str:
        """The rules as JSON, from which `rules_from_json` makes equal ones in another process."""
        parts = {name: json.loads(rules.to_json()) for name, rules in self.parts.items()}
        return json.dumps({"parts": parts, "dropped": self.dropped}, sort_keys=True)

    @property
    def digest(self) -> str:
        """Tells these rules from others."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def is_candidate_in_folder(self, path: str, name: str) -> bool:
        """As for one folder."""
        folder, rest = split_name(path)
        return folder in self.parts and bool(rest) and self.parts[folder].is_candidate_in_folder(rest, name)

    def is_candidate(self, path: str) -> bool:
        """Whether the file at this path belongs into the index."""
        return self.why_left_out(path) is None

    def includes_folder(self, folder: str) -> bool:
        """Whether a walk goes into the folder at this path."""
        return self.why_not_entered(folder) is None

    def why_left_out(self, path: str) -> str | None:
        """The rule that leaves out the file at this path; None if it is a candidate."""
        name, rest = split_name(path)
        if name in self.parts:
            return self.parts[name].why_left_out(rest) if rest else "LOOKALIKE_EXTENSIONS"
        return TAKEN_OUT if name in self.dropped else None

    def why_not_entered(self, folder: str) -> str | None:
        """The rule that leaves out the folder at this path; None if it is entered."""
        name, rest = split_name(folder)
        if name not in self.parts:
            return TAKEN_OUT
        return self.parts[name].why_not_entered(rest) if rest else None


def rules_from_json(text: str) -> Candidates:
    """The rules that `to_json` of any kind wrote. Raises ValueError, Misconfigured."""
    known = json.loads(text)
    if "parts" not in known:
        return Candidates.from_json(text)
    parts = {name: Candidates.from_json(json.dumps(rules)) for name, rules in known["parts"].items()}
    return JoinedCandidates(parts, known["dropped"])
