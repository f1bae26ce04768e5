"""The verdicts of a system. What file and collection know is merged, so that one of both may be lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from qdrant_client import QdrantClient

from lookalike.duplicates.verdict_messages import (
    NewVerdict,
    ReadVerdicts,
    VerdictReply,
    VerdictsReply,
    new_verdicts,
    pairs_of,
    paths_of,
)
from lookalike.duplicates.verdicts import Verdicts
from lookalike.log import get_logger
from lookalike.settings import Settings
from lookalike.system.data_folder import data_folder
from worker.index.collection_options import CollectionOptions
from worker.verdicts.lines import VerdictLines
from worker.verdicts.points import VerdictPoints

log = get_logger(__name__)


@dataclass(frozen=True)
class KeptVerdicts:
    """Verdicts over a collection and, where this machine has the data folder, a file.

    `sha256_of` looks up the content of paths in the index. Methods raise StoreUnavailable, StoreRefused, Refused,
    CollectionMismatch.
    """

    points: VerdictPoints
    lines: VerdictLines | None
    sha256_of: Callable[[Sequence[str]], Mapping[str, str]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def known(self) -> Verdicts:
        """All verdicts, of the collection and the file; nothing is made or mended."""
        there = self.points.read() if self.points.exist() else Verdicts()
        return there if self.lines is None else Verdicts([*there, *self.lines.read()])

    def read(self) -> Verdicts:
        """All verdicts. What only the file or only the collection knows, or knows better, the other gets."""
        self.points.ensure()
        there = self.points.read()
        if self.lines is None:
            return there
        here = self.lines.read()
        merged = Verdicts([*there, *here])
        for_points = [verdict for verdict in merged if verdict.is_newer(there.get(*verdict.contents))]
        for_lines = [verdict for verdict in merged if verdict.is_newer(here.get(*verdict.contents))]
        self.points.write(for_points)
        self.lines.add(for_lines)
        if for_points or for_lines:
            log.info("verdicts mended", at_the_store=len(for_points), in_the_file=len(for_lines))
        return merged

    def merge(self, others: Verdicts) -> int:
        """Takes the verdicts of another system as they are. Returns how many are newer than what was known."""
        if not len(others):
            return 0
        known = self.read()
        newer = [verdict for verdict in others if verdict.is_newer(known.get(*verdict.contents))]
        if self.lines is not None:
            self.lines.add(newer)
        self.points.write(newer)
        return len(newer)

    def mend(self) -> None:
        """Reads them, unless there never was one: then no collection is made for them."""
        if self.points.exist() or (self.lines is not None and len(self.lines.read())):
            self.read()

    def record(self, new: Sequence[NewVerdict]) -> VerdictReply:
        """Keeps new ones, all of them or none."""
        if self.points.ensure():
            # The collection was lost: what the file knows must be there before it is compared.
            self.read()
        paths = paths_of(new)
        sha256_of = self.sha256_of(paths) if paths else {}
        known = self.points.known(pairs_of(new, sha256_of))
        changes = new_verdicts(new, sha256_of, known, self.now())
        if self.lines is not None:
            # First, because it is the one that stays if the store fails now; reading mends the other.
            self.lines.add(changes)
        self.points.write(changes)
        return VerdictReply(recorded=len(changes), unchanged=len(new) - len(changes))

    def page(self, ask: ReadVerdicts) -> VerdictsReply:
        """A page of them; the first one after mending."""
        if ask.after is None:
            self.read()
        return self.points.page(ask.after, ask.limit)


def verdicts_of(
    client: QdrantClient,
    settings: Settings,
    *,
    sha256_of: Callable[[Sequence[str]], Mapping[str, str]],
) -> KeptVerdicts:
    """Those of this system; in a file, too, where the settings name a data folder that is there."""
    folder = None if settings.data is None else data_folder(settings)
    lines = None if folder is None or not folder.root.is_dir() else VerdictLines(folder.verdicts)
    points = VerdictPoints(client, settings.name, CollectionOptions.of(settings))
    return KeptVerdicts(points, lines, sha256_of)
