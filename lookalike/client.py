"""The client: sends searches and syncs, reads the index. Connects to the broker only."""

import logging
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from redis.exceptions import RedisError

from lookalike.argument_checks import limit_given, path_given, seconds_given, why_no_file
from lookalike.broker import broker_url, without_secret
from lookalike.connections import Connections, PerProcess
from lookalike.discovery import with_running
from lookalike.errors import Refused, Unreachable
from lookalike.job import Job
from lookalike.library.paths import escape_path, is_utf8, quoted, validate_path
from lookalike.messages import (
    MAX_MESSAGE_PATHS,
    ImageByPath,
    KnownFile,
    ReadPage,
    SearchReply,
    SyncMessage,
    SyncReply,
)
from lookalike.neighbour import Neighbour
from lookalike.query import query_bytes
from lookalike.settings import Settings, read_settings
from lookalike.status import Status, read_status

log = logging.getLogger(__name__)

READ_S = 30.0
SYNC_S = 600.0


class Client:
    """Finds the running system by itself, or through REDIS_URL; settings given here win over both.

    Raises NotRunning if there is nothing to find. Nothing connects before the first call. It may be used by many
    threads at once, and on both sides of a fork(): each process connects for itself. `close` or a `with` block ends
    what it opened in this process; so does the garbage collector once the client is unreferenced.
    """

    def __init__(self, settings: Settings | None = None, **given: object) -> None:
        whole = self.settings = with_running(settings if settings is not None else read_settings(**given))
        self._opened = PerProcess(lambda: Connections(whole))
        # An unreferenced client is closed, too; at exit the operating system does that.
        weakref.finalize(self, self._opened.close).atexit = False
        broker = without_secret(broker_url(self.settings))
        log.debug("client broker=%s name=%s library=%s", broker, self.settings.name, self.settings.library)

    def close(self) -> None:
        """Ends all connections of this process; from then on every call raises Closed. Closing again does nothing."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self,
        image: str | os.PathLike[str] | bytes,
        limit: int = 10,
        *,
        timeout_s: float | None = None,
        scaled: bool = True,
    ) -> Job[list[Neighbour]]:
        """Asks for the nearest neighbours of an image: a file here, else a path of the library; or bytes.

        No worker starts on it after `timeout_s` (LOOKALIKE_SEARCH_TIMEOUT_S if not given). A large photo is
        scaled down before it is sent, unless every bit counts. Raises Refused if the image or the limit is at
        fault, Unreachable if the broker does not answer.
        """
        transport, wanted = self._opened.here().transport, limit_given(limit, self.settings.max_limit)
        patience_s = self.settings.search_timeout_s if timeout_s is None else seconds_given(timeout_s)
        query, path = self._query(image, scaled=scaled)
        sent = transport.search(query, wanted, expires_s=patience_s, path=path)
        return Job(sent, self._answer, _neighbours, patience_s)

    def sync(self, paths: Iterable[str | os.PathLike[str]], *, retry_rejected: bool = False) -> Job[SyncReply]:
        """Asks for these files to be indexed now: paths of the library, at most 1,000; absolute ones inside it too.

        `retry_rejected` also tries files that were rejected and have not changed. Raises Refused, Unreachable.
        """
        transport, relative = self._opened.here().transport, [self._relative(path) for path in paths]
        if len(relative) > MAX_MESSAGE_PATHS:
            raise Refused(f"{len(relative)} paths are too many for one job: send at most {MAX_MESSAGE_PATHS}.")
        sent = transport.sync(SyncMessage(paths=relative, retry_rejected=retry_rejected))
        return Job(sent, self._answer, SyncReply.model_validate, SYNC_S)

    def allow_removals(self) -> None:
        """Lets the next scan remove from the index what is gone from the library, however much it is.

        A scan that would remove very much stops instead and `status` says so: a share that is not mounted
        looks like a library that was emptied. Raises Unreachable.
        """
        try:
            self._opened.here().telemetry.allow_removals()
        except RedisError as error:
            raise _unreachable(error) from error

    def status(self) -> Status:
        """What the system is doing. Raises Unreachable if the broker does not answer."""
        opened = self._opened.here()
        try:
            return read_status(self.settings, opened.telemetry, opened.transport)
        except RedisError as error:
            raise _unreachable(error) from error

    def list(self) -> Iterator[KnownFile]:
        """Every file in the index, indexed or rejected. Raises Unreachable, TimedOut."""
        return self._pages(None)

    def rejected(self) -> Iterator[KnownFile]:
        """Files that could not be indexed, each with its reason. Raises Unreachable, TimedOut."""
        return self._pages("rejected")

    def known(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """What the index knows of these paths of the library, at most 1,000, by path. Raises Unreachable, TimedOut."""
        reply = self._opened.here().transport.known([*paths], timeout_s=READ_S)
        return {file.path: file for file in reply.files}

    def retry(self, paths: Sequence[str] | None = None) -> int:
        """Tries rejected files again, all of them if none are named. Returns how many were sent."""
        wanted = [self._relative(path) for path in paths] if paths else [file.path for file in self.rejected()]
        step = self.settings.batch_paths
        for start in range(0, len(wanted), step):
            message = SyncMessage(paths=wanted[start : start + step], retry_rejected=True)
            self._opened.here().transport.sync(message, from_scan=True, want_result=False)
        return len(wanted)

    def _answer(self, job: str, timeout_s: float) -> Any:
        """The answer of a job, also if another process sent it."""
        return self._opened.here().transport.answer(job, timeout_s=timeout_s)

    def _pages(self, status: Literal["rejected"] | None) -> Iterator[KnownFile]:
        after: str | None = None
        while True:
            page = self._opened.here().transport.page(ReadPage(after=after, status=status), timeout_s=READ_S)
            yield from page.files
            after = page.next
            if after is None:
                return

    def _query(
        self, image: str | os.PathLike[str] | bytes, *, scaled: bool
    ) -> tuple[ImageByPath, None] | tuple[bytes, str | None]:
        """What to send, and where in the library it lies: there its embedding is, whatever its size."""
        most = self.settings.max_query_bytes
        if isinstance(image, bytes | bytearray | memoryview):
            return query_bytes(bytes(image), max_bytes=most, scaled=scaled), None
        path = path_given(image)
        if os.path.isfile(path):  # noqa: PTH113 - a name that is too long or not valid is no file, and no error
            inside = self._relative(path) if self._is_in_library(path) else None
            if inside is not None and path.stat().st_size > most and self._is_indexed(inside):
                return ImageByPath(path=inside), None
            return query_bytes(path, max_bytes=most, scaled=scaled), inside
        reason = why_no_file(path)
        if reason is not None:
            raise Refused(f"{quoted(str(path))} cannot be searched for: {reason}.")
        return ImageByPath(path=self._relative(path)), None

    def _is_indexed(self, path: str) -> bool:
        file = self.known([path]).get(path)
        return file is not None and file.status == "indexed"

    def _is_in_library(self, path: Path) -> bool:
        root = self.settings.library
        return root is not None and Path(os.path.abspath(path)).is_relative_to(root)  # noqa: PTH100 (as in _relative)

    def _relative(self, path: str | os.PathLike[str]) -> str:
        """The path as the library knows it: a file here that lies in the library, else a path of the library."""
        given, root = path_given(path), self.settings.library
        if root is not None:
            absolute = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow links out of the library
            there = os.path.lexists(absolute)
            if absolute.is_relative_to(root) and absolute != root and (given.is_absolute() or there):
                inside = absolute.relative_to(root).as_posix()
                # A name on the disk may contain what looks like an escape; in a path of the index that is escaped.
                return _escaped(inside) if there else _index_path(inside)
        if given.is_absolute():
            raise Refused(f"{quoted(str(given))} is not a file here, and not a path inside the library {root}.")
        return _index_path(given.as_posix())


def _index_path(path: str) -> str:
    """A path of the index, as `list` returns it; or an unescaped name with bytes that are not UTF-8."""
    return validate_path(path) if is_utf8(path) else _escaped(path)


def _escaped(path: str) -> str:
    try:
        return validate_path(escape_path(path))
    except UnicodeEncodeError:
        raise Refused(f"{quoted(path)} can be no name of a file.") from None


def _neighbours(answer: Any) -> list[Neighbour]:
    return SearchReply.model_validate(answer).neighbours


def _unreachable(error: Exception) -> Unreachable:
    return Unreachable(
        f"The broker does not answer ({error}). Start the system with `lookalike up FOLDER`, or check REDIS_URL."
    )
