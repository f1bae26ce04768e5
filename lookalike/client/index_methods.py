"""The methods of the client that look at the system and its index, pause it, and tell it of duplicates."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from lookalike.broker.events import Events
from lookalike.client.queries.argument_checks import limit_given, pause_given, seconds_given
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.client.status import Status, read_status
from lookalike.client.transports.transport import IndexReader, Transport
from lookalike.client.verdicts import new_verdict, pages_of, tell_all
from lookalike.duplicates.verdicts import PairVerdict, Verdict
from lookalike.messages import (
    MAX_PAGE,
    FilesReply,
    KnownFile,
    NewVerdict,
    ReadPage,
    ReadSample,
    SampleReply,
    SyncMessage,
    VerdictReply,
)
from lookalike.settings import Settings

READ_S = 30.0


class IndexMethods(ABC):
    """One half of `Client`; the other has the jobs (client.py). Each method here asks and waits for the answer."""

    settings: Settings
    _paths: CallerPaths

    @abstractmethod
    def _transport(self) -> Transport:
        """That of this process."""

    def events(self, after: str | None = None, *, wait_s: float = 0.0) -> Events:
        """What became of files since that event, at most 1,000; waits so long for the first. Without `after` from now.

        `events(found.next)` goes on from there. Raises Refused for what is no id of an event, Unreachable.
        """
        return self._transport().events(after, wait_s=seconds_given(wait_s))

    def allow_removals(self) -> None:
        """Lets the next scan remove from the index what is gone from the library, however much it is.

        A scan that would remove very much stops instead and `status` says so: a share that is not mounted
        looks like a library that was emptied. Raises Unreachable.
        """
        self._transport().allow_removals()

    def pause(self, for_s: float | None = None) -> None:
        """Lets ingest rest, for so many seconds or until `resume`; searches go on.

        Workers finish what they have in hand and take no more within two seconds; a restart of the system does not end
        it. What changes in the library meanwhile is indexed afterwards. Raises Refused, Unreachable.
        """
        self._transport().pause(pause_given(for_s))

    def resume(self) -> None:
        """Ends what `pause` began; quiet hours and a battery go on to pause. Raises Unreachable."""
        self._transport().resume()

    def status(self) -> Status:
        """What the system is doing. Raises Unreachable if the broker does not answer."""
        return read_status(self.settings, self._transport())

    def list(self) -> Iterator[KnownFile]:
        """Every file in the index, indexed or rejected. Raises Unreachable, TimedOut."""
        return self._pages(None)

    def rejected(self) -> Iterator[KnownFile]:
        """Files that could not be indexed, each with its reason. Raises Unreachable, TimedOut."""
        return self._pages("rejected")

    def page(
        self,
        after: str | None = None,
        limit: int = MAX_PAGE,
        *,
        status: Literal["indexed", "rejected"] | None = None,
        folder: str | None = None,
    ) -> FilesReply:
        """A page of the index, of that status and in that folder if they are given; `after` is the `next` of the last.

        Raises Refused, Unreachable, TimedOut.
        """
        under = None if folder is None else self._paths.relative(folder)
        ask = ReadPage(after=after, limit=limit_given(limit, MAX_PAGE), status=status, under=under)
        return IndexReader(self._transport()).page(ask, timeout_s=READ_S)

    def known(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """What the index knows of these paths of the library, at most 1,000, by path. Raises Unreachable, TimedOut."""
        reply = IndexReader(self._transport()).known([*paths], timeout_s=READ_S)
        return {file.path: file for file in reply.files}

    def sample(self, count: int = 12, *, folder: str | None = None) -> SampleReply:
        """Paths of files that are as unlike each other as can be, in that folder of the library or in all of it.

        k centres over the vectors (lookalike/search/centres.py). Raises Refused, Unreachable, TimedOut.
        """
        under = None if folder is None else self._paths.relative(folder)
        ask = ReadSample(count=limit_given(count, min(self.settings.max_limit, MAX_PAGE)), under=under)
        return IndexReader(self._transport()).sample(ask, timeout_s=READ_S)

    def verdict(
        self,
        a: str | os.PathLike[str],
        b: str | os.PathLike[str],
        verdict: Verdict,
        *,
        better: str | os.PathLike[str] | None = None,
    ) -> VerdictReply:
        """Remembers what you say of two files of the library; it holds for their contents, wherever they move.

        `not-duplicates` hides the pair, `keep-both` shows it and proposes to keep both, `same` says that they are one
        picture of which `better`, one of both, is to be kept, and `none` withdraws it. The newest counts.
        Raises Refused, Unreachable, TimedOut.
        """
        told = new_verdict(self._paths.relative, a, b, verdict, better)
        return tell_all(self._transport(), [told], timeout_s=READ_S)

    def verdicts(self) -> Iterator[PairVerdict]:
        """All verdicts, withdrawn ones included; `line` of each is one line of JSON. Raises Unreachable, TimedOut."""
        return pages_of(self._transport, timeout_s=READ_S)

    def import_verdicts(self, verdicts: Iterable[PairVerdict]) -> VerdictReply:
        """Remembers verdicts of another system; of each pair the newer one counts.

        `parse_line` of lookalike/duplicates/verdicts.py reads them. Raises Refused, Unreachable, TimedOut.
        """
        return tell_all(self._transport(), map(NewVerdict.again, verdicts), timeout_s=READ_S)

    def retry(self, paths: Sequence[str] | None = None) -> int:
        """Tries rejected files again, all of them if none are named. Returns how many were sent."""
        wanted = [self._paths.relative(path) for path in paths] if paths else [file.path for file in self.rejected()]
        step = self.settings.batch_paths
        for start in range(0, len(wanted), step):
            message = SyncMessage(paths=wanted[start : start + step], retry_rejected=True)
            self._transport().send(message, background=True)
        return len(wanted)

    def _pages(self, status: Literal["rejected"] | None) -> Iterator[KnownFile]:
        after: str | None = None
        while True:
            page = IndexReader(self._transport()).page(ReadPage(after=after, status=status), timeout_s=READ_S)
            yield from page.files
            after = page.next
            if after is None:
                return
