"""The other side of the message contract: a real Celery worker, in a process of its own, with a hash as its index.

It does with the messages what lookalike/messages/ says, without decoding anything, and writes down what
it was told. The real worker is tested with the producer in tests/e2e. Everything it knows is in Redis:

    other-side:root       string  the library of the test that runs
    other-side:files      hash    path -> KnownFile as JSON: the index
    other-side:messages   list    "queue message-as-JSON", in the order of arrival
    other-side:embedded   list    paths whose content it did not know

It answers reads for the system `paused` as well, but takes no sync of it: there messages stay in their queues.
"""

import os
from pathlib import Path
from typing import Any, Literal

from celery import Celery
from redis import Redis

from lookalike.broker.index_state import IndexState
from lookalike.library.joined.rules import rules_from_json
from lookalike.library.paths import escape_path
from lookalike.library.version import version_of
from lookalike.messages import (
    CountsReply,
    FilesReply,
    KnownFile,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    ReadSample,
    ReadVerdicts,
    SampleReply,
    SyncMessage,
    SyncReply,
    VerdictsReply,
)
from lookalike.redis_keys import READ, SYNC, Keys
from lookalike.settings import Settings

LIBRARY_ID = "library-of-the-test"
PAUSED = "paused"


class OtherSide:
    """What the index holds and what was asked for."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def begin(self, root: Path) -> None:
        """Forgets everything and serves another library."""
        self._redis.delete("other-side:files", "other-side:messages", "other-side:embedded")
        self._redis.set("other-side:root", os.fspath(root))

    def serve(self, root: Path) -> None:
        """Serves another library and knows what it knew."""
        self._redis.set("other-side:root", os.fspath(root))

    @property
    def root(self) -> Path:
        return Path(self._redis.get("other-side:root").decode())  # type: ignore[union-attr]

    @property
    def files(self) -> dict[str, KnownFile]:
        """The index."""
        kept = self._redis.hgetall("other-side:files")
        return {name.decode(): KnownFile.model_validate_json(file) for name, file in kept.items()}  # type: ignore[union-attr]

    @property
    def messages(self) -> list[tuple[str, SyncMessage]]:
        """What was sent, and through which queue."""
        lines = (line.decode().split(" ", 1) for line in self._redis.lrange("other-side:messages", 0, -1))  # type: ignore[union-attr]
        return [(queue, SyncMessage.model_validate_json(message)) for queue, message in lines]

    @property
    def embedded(self) -> list[str]:
        """Paths that had to be embedded, in order."""
        return [path.decode() for path in self._redis.lrange("other-side:embedded", 0, -1)]  # type: ignore[union-attr]

    @property
    def sent_paths(self) -> list[str]:
        """Every path that came in a message, in order."""
        return [path for _, message in self.messages for path in message.paths]

    @property
    def sent_gone(self) -> list[str]:
        """Every path that a message called gone, in order."""
        return [path for _, message in self.messages for path in message.gone]

    def put(self, path: str) -> None:
        """Makes the index know a file of the disk as it is."""
        found = (self.root / path).stat()
        self._keep(_known(escape_path(path), "indexed", found))

    def put_ghosts(self, *paths: str) -> None:
        """Makes the index know files that are not on the disk."""
        for path in paths:
            self._keep(KnownFile(path=path, status="indexed", version="ghost", size_bytes=1, mtime_ns=1))

    def sync(self, queue: str, message: SyncMessage) -> SyncReply:
        """Makes the index agree with the disk; a file of the same size and mtime as a gone one is a copy."""
        self._redis.rpush("other-side:messages", f"{queue} {message.model_dump_json()}")
        files, root = self.files, self.root
        for path in message.paths:
            file = _file_at(root, path)
            if file is None or files.get(path) == file:
                continue
            old = [files[gone] for gone in message.gone if gone in files]
            if not any((known.size_bytes, known.mtime_ns) == (file.size_bytes, file.mtime_ns) for known in old):
                self._redis.rpush("other-side:embedded", path)
            self._keep(file)
        if message.left_out:
            rules = rules_from_json(IndexState(self._redis, Keys("lookalike")).rules() or "")
            assert (rules.digest, message.library) == (message.rules, LIBRARY_ID)
            assert not any(map(rules.is_candidate, message.left_out))
            self._redis.hdel("other-side:files", *message.left_out)
        absent = [path for path in message.gone if not (root / path).exists()]
        assert not message.gone or message.library == LIBRARY_ID
        return SyncReply(deleted=int(self._redis.hdel("other-side:files", *absent)) if absent else 0)

    def read(self, message: ReadMessage) -> CountsReply | FilesReply | SampleReply | VerdictsReply:
        """Answers from the index."""
        files = self.files
        match message.ask:
            case ReadCounts():
                return CountsReply(
                    indexed=len(files),
                    rejected=0,
                    library=LIBRARY_ID,
                    model="test",
                    distance="cosine",
                    backend="test",
                    precision="fp32",
                    threads=1,
                    generation="test",
                )
            case ReadKnown(paths=paths):
                return FilesReply(files=[files[path] for path in paths if path in files])
            case ReadPage() as ask:
                paths = sorted(path for path in files if ask.under is None or path.startswith(ask.under + "/"))
                rest = [path for path in paths if ask.after is None or path >= ask.after]
                page, more = rest[: ask.limit], rest[ask.limit :]
                return FilesReply(files=[files[path] for path in page], next=more[0] if more else None)
            case ReadSample() as ask:
                return SampleReply(paths=sorted(files)[: ask.count], among=len(files))
            case ReadVerdicts():
                return VerdictsReply(verdicts=[])

    def _keep(self, file: KnownFile) -> None:
        self._redis.hset("other-side:files", file.path, file.model_dump_json())


def _file_at(root: Path, path: str) -> KnownFile | None:
    folder, _, name = path.rpartition("/")
    try:
        found = next(entry for entry in os.scandir(root / folder) if escape_path(entry.name) == name)
        file_stat = found.stat()
    except (OSError, StopIteration):
        return None
    return _known(path, "indexed" if found.name == name else "rejected", file_stat)


def _known(path: str, status: Literal["indexed", "rejected"], found: os.stat_result) -> KnownFile:
    return KnownFile(
        path=path,
        status=status,
        version=version_of(found).token,
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
    )


def worker_app(url: str) -> Celery:
    """The app that the process serves."""
    app = Celery("other-side", broker=url, backend=url, set_as_current=False)
    app.conf.update(accept_content=["json"], task_default_queue="other-side", broker_connection_max_retries=None)
    side = OtherSide(Redis.from_url(url))

    def sync(self: Any, message: Any) -> Any:
        queue = self.request.delivery_info["routing_key"].rpartition(":")[2]
        return side.sync(queue, SyncMessage.model_validate(message)).model_dump()

    def read(message: Any) -> Any:
        return side.read(ReadMessage.model_validate(message)).model_dump()

    app.task(sync, name=SYNC, bind=True)
    app.task(read, name=READ)
    return app


def main() -> None:
    """Serves the broker in REDIS_URL."""
    keys, paused = Keys(Settings.model_fields["name"].default), Keys(PAUSED)
    queues = f"{keys.search},{keys.ingest},{keys.rescan},{paused.search}"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "error"]
    worker_app(os.environ["REDIS_URL"]).worker_main(["worker", "--pool", "solo", "-Q", queues, *quiet])


if __name__ == "__main__":
    main()
