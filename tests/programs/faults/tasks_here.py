"""A transport between a producer and a worker that are one process."""

from typing import Any

from kombu.utils.json import dumps, loads

from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.client.transports.results import broker_errors
from lookalike.messages import CountsReply, FilesReply, ReadCounts, ReadKnown, ReadMessage, ReadPage
from lookalike.redis_keys import READ


class TasksHere:
    """A transport whose syncs go through the broker, and whose reads are answered in this thread."""

    def __init__(self, app: Any, transport: CeleryTransport) -> None:
        self._app = app
        self.sync = transport.sync

    def counts(self, *, timeout_s: float) -> CountsReply:  # noqa: ARG002
        return CountsReply.model_validate(self._read(ReadCounts()))

    def page(self, ask: ReadPage, *, timeout_s: float) -> FilesReply:  # noqa: ARG002
        return FilesReply.model_validate(self._read(ask))

    def known(self, paths: list[str], *, timeout_s: float) -> FilesReply:  # noqa: ARG002
        return FilesReply.model_validate(self._read(ReadKnown(paths=paths)))

    def _read(self, ask: ReadCounts | ReadPage | ReadKnown) -> Any:
        message = ReadMessage(ask=ask).model_dump(mode="json")
        with broker_errors(lambda: None):
            # As it travels.
            return loads(dumps(self._app.tasks[READ].apply(args=[message]).get()))  # type: ignore[no-untyped-call]
