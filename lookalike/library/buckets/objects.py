"""Requests to a bucket, by obstore, which retries and backs off itself."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.library.buckets.aws_profile import profile_of
from lookalike.library.buckets.bucket_faults import NO_BUCKET, code_of, told
from lookalike.library.version import FileVersion, object_version

if TYPE_CHECKING:
    from obstore.store import S3Store

# Longer waits are another part's: who asked tries again.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=0.1), timedelta(seconds=5)
MOST_RETRIES = 10
CONNECT_S = 5
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# Keys in one answer of a server; obstore asks for as many.
PAGE = 1000
CHUNK_BYTES = 1 << 20


class Listed(NamedTuple):
    """An object of a listing, by its path below the library's prefix."""

    path: str
    version: FileVersion


@dataclass(frozen=True)
class Download:
    """An object that is being read: its version, and its bytes in pieces as they come. Raises BucketFault."""

    version: FileVersion
    pieces: Iterator[bytes]


@dataclass
class Objects:
    """The objects below an address. To be made after a fork: obstore has threads, which a child does not get."""

    address: BucketAddress
    # For one answer to begin or go on, and for all tries of one request together.
    timeout_s: float
    retry_s: float

    def head(self, path: str) -> FileVersion | None:
        """The version of an object; None if there is none, as far as one request tells. Raises BucketFault."""
        store = self._store
        import obstore  # noqa: PLC0415 (an extra, and nothing that a client needs)

        with told():
            try:
                return _version_of(obstore.head(store, path))
            except FileNotFoundError:
                return None

    def download(self, path: str) -> Download | None:
        """Begins to read an object; None if there is none. Raises BucketFault."""
        store = self._store
        import obstore  # noqa: PLC0415

        with told():
            try:
                got = obstore.get(store, path)
            except FileNotFoundError:
                return None
            return Download(_version_of(got.meta), _pieces(got))

    def is_missing(self, path: str) -> bool:
        """Whether the server says in words that it has no such key. Raises BucketFault.

        It answers a HEAD without words, and then a bucket that is gone looks like a key that is gone.
        """
        store = self._store
        import obstore  # noqa: PLC0415

        with told():
            try:
                obstore.get_range(store, path, start=0, end=1)
            except FileNotFoundError as error:
                code = code_of(error)
                if code == NO_BUCKET:
                    raise
                return code == "NoSuchKey"
            return False

    def pages(self, under: str = "") -> Iterator[list[Listed]]:
        """All objects, or those in a folder and below, in pages. Raises BucketFault."""
        store = self._store
        import obstore  # noqa: PLC0415

        with told():
            pages = iter(obstore.list(store, under or None, chunk_size=PAGE))
            while True:
                page = next(pages, None)
                if page is None:
                    return
                yield [Listed(found["path"], _version_of(found)) for found in page]

    def has_any(self) -> bool:
        """Whether a listing shows at least one object. Raises BucketFault."""
        return any(page for page in self.pages())

    def check(self) -> None:
        """Raises Misconfigured for what cannot work whatever the server answers. Connects to nothing."""
        if importlib.util.find_spec("obstore") is None:
            raise Misconfigured("Not installed: obstore. Run pip install 'lookalike[s3]'.")
        _ = self._access

    @cached_property
    def _access(self) -> "_Access":
        profile = profile_of(os.environ)
        named = (os.environ.get(name) for name in ENDPOINTS)
        endpoint = next(filter(None, named), None) or profile.endpoint_url
        config: dict[str, str] = {"endpoint": _checked(endpoint)} if endpoint else {}
        if profile.region and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
            config["region"] = profile.region
        return _Access(config, profile.keys, _authority(os.environ.get("AWS_CA_BUNDLE")))

    @cached_property
    def _store(self) -> "S3Store":
        self.check()
        from obstore.store import S3Store  # noqa: PLC0415

        config, authority = self._access.config, self._access.authority
        with told():
            return S3Store(
                self.address.bucket,
                prefix=self.address.prefix or None,
                config=config,  # type: ignore[arg-type]
                # A person who writes http:// means it: a server in the same house.
                client_options={
                    "allow_http": config.get("endpoint", "").startswith("http://"),
                    "connect_timeout": timedelta(seconds=CONNECT_S),
                    "read_timeout": timedelta(seconds=self.timeout_s),
                    # Of the whole answer, a large one included; the task's own limit ends what never ends.
                    "timeout": timedelta(hours=1),
                    **({} if authority is None else {"root_certificate": authority}),
                },
                retry_config={
                    "backoff": {"init_backoff": FIRST_WAIT, "max_backoff": LONGEST_WAIT, "base": 2},
                    "max_retries": MOST_RETRIES,
                    "retry_timeout": timedelta(seconds=self.retry_s),
                },
                credential_provider=self._access.keys,
            )


class _Access(NamedTuple):
    config: dict[str, str]
    keys: Any
    # PEM of who signed the server's certificate, besides those whom the system trusts.
    authority: bytes | None


def _authority(file: str | None) -> bytes | None:
    try:
        return None if not file else Path(file).expanduser().read_bytes()
    except OSError as error:
        raise Misconfigured(f"AWS_CA_BUNDLE: {file} cannot be read ({error.strerror}).") from error


def _checked(endpoint: str) -> str:
    """The same if it is an address. Raises Misconfigured, where obstore would panic."""
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or "@" in endpoint:
        raise Misconfigured("AWS_ENDPOINT_URL is no address of a server: write https://HOST or http://HOST:PORT.")
    return endpoint


def _pieces(got: Any) -> Iterator[bytes]:
    with told():
        yield from map(bytes, got.stream(min_chunk_size=CHUNK_BYTES))


def _version_of(found: Any) -> FileVersion:
    return object_version(found["e_tag"], found["size"], int(found["last_modified"].timestamp()))
