"""Requests to a bucket, by obstore, which retries and backs off itself. Errors become words without any secret.

What a server answers to a refused key repeats that key, so of an answer only its code is ever told.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.library.aws_profile import profile_of
from lookalike.library.version import FileVersion, object_version

if TYPE_CHECKING:
    from obstore.store import S3Store

# Longer waits are another part's: what is away is tried again by who asked.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=0.1), timedelta(seconds=5)
MOST_RETRIES = 10
CONNECT_S = 5
# Keys in one answer of a server; obstore asks for as many.
PAGE = 1000
CHUNK_BYTES = 1 << 20
CODE = re.compile(r"<Code>(\w{1,64})</Code>")
STATUS = re.compile(r"status code: (\d{3})|\b(5\d\d) [A-Z]")
INVALID_PATH = re.compile(r'[Pp]ath "((?:[^"\\]|\\.)*)"')
NO_BUCKET = "NoSuchBucket"
# The key is at fault, not the object: nothing can be read with it.
KEY_REFUSED = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"),
        *("SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidClientTokenId"),
    }
)
REFUSED_STATUS = frozenset({"401", "403"})
# Where an instance's own keys are asked for, which fails where there is no such instance.
OWN_KEYS = re.compile(r"169\.254\.169\.254|latest/api/token|meta-data")


class StoreFault(Exception):
    """The store did not answer as it should; `str(error)` follows "The library ", as in "is missing".

    `is_denied`: access to this object is refused, and perhaps to this one alone.
    """

    def __init__(self, why: str, *, is_denied: bool = False) -> None:
        super().__init__(why)
        self.is_denied = is_denied


class Listed(NamedTuple):
    """An object of a listing, by its path below the library's prefix."""

    path: str
    version: FileVersion


@dataclass(frozen=True)
class Download:
    """An object that is being read: its version, and its bytes in pieces as they come. Raises StoreFault."""

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
        """The version of an object; None if there is none, as far as one request tells. Raises StoreFault."""
        import obstore  # noqa: PLC0415 (an extra, and nothing that a client needs)

        with _told():
            try:
                return _version_of(obstore.head(self._store, path))
            except FileNotFoundError:
                return None

    def download(self, path: str) -> Download | None:
        """Begins to read an object; None if there is none. Raises StoreFault."""
        import obstore  # noqa: PLC0415

        with _told():
            try:
                got = obstore.get(self._store, path)
            except FileNotFoundError:
                return None
            return Download(_version_of(got.meta), _pieces(got))

    def is_missing(self, path: str) -> bool:
        """Whether the store says in words that it has no such key. Raises StoreFault.

        It answers a HEAD without words, and then a bucket that is gone looks like a key that is gone.
        """
        import obstore  # noqa: PLC0415

        with _told():
            try:
                obstore.get_range(self._store, path, start=0, end=1)
            except FileNotFoundError as error:
                code = _code_of(error)
                if code == NO_BUCKET:
                    raise
                return code == "NoSuchKey"
            return False

    def pages(self, under: str = "") -> Iterator[list[Listed]]:
        """All objects, or those in a folder and below, in pages. Raises StoreFault."""
        import obstore  # noqa: PLC0415

        with _told():
            pages = iter(obstore.list(self._store, under or None, chunk_size=PAGE))
            while True:
                page = next(pages, None)
                if page is None:
                    return
                yield [Listed(found["path"], _version_of(found)) for found in page]

    def has_any(self) -> bool:
        """Whether a listing shows at least one object. Raises StoreFault."""
        return any(page for page in self.pages())

    @cached_property
    def _store(self) -> "S3Store":
        try:
            from obstore.store import S3Store  # noqa: PLC0415
        except ImportError:
            raise Misconfigured("Not installed: obstore. Run pip install 'lookalike[s3]'.") from None
        profile = profile_of(os.environ)
        config: dict[str, Any] = {}
        endpoint = (
            os.environ.get("AWS_ENDPOINT_URL_S3")
            or os.environ.get("AWS_ENDPOINT_URL")
            or os.environ.get("AWS_ENDPOINT")
            or profile.endpoint_url
        )
        if endpoint:
            config["endpoint"] = endpoint
        if profile.region and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
            config["region"] = profile.region
        with _told():
            return S3Store(
                self.address.bucket,
                prefix=self.address.prefix or None,
                config=config,  # type: ignore[arg-type]
                # Whoever writes http:// means it: a server in the same house.
                client_options={
                    "allow_http": (endpoint or "").startswith("http://"),
                    "connect_timeout": timedelta(seconds=CONNECT_S),
                    "read_timeout": timedelta(seconds=self.timeout_s),
                    # Of the whole answer, a large one included; the task's own limit ends what never ends.
                    "timeout": timedelta(hours=1),
                },
                retry_config={
                    "backoff": {"init_backoff": FIRST_WAIT, "max_backoff": LONGEST_WAIT, "base": 2},
                    "max_retries": MOST_RETRIES,
                    "retry_timeout": timedelta(seconds=self.retry_s),
                },
                credential_provider=profile.keys,  # type: ignore[arg-type]
            )


def _pieces(got: Any) -> Iterator[bytes]:
    with _told():
        yield from map(bytes, got.stream(min_chunk_size=CHUNK_BYTES))


def _version_of(found: Any) -> FileVersion:
    return object_version(found["e_tag"], found["size"], int(found["last_modified"].timestamp()))


@contextmanager
def _told() -> Iterator[None]:
    """Turns what obstore raises into a StoreFault."""
    try:
        yield
    except (StoreFault, Misconfigured, GeneratorExit):
        raise
    except Exception as error:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        if not isinstance(error, BaseError | OSError | ValueError):
            raise
        # Not `from error`: its text has what the server answered.
        raise _fault_of(error) from None


def _fault_of(error: Exception) -> StoreFault:  # noqa: PLR0911 (one for each kind of fault)
    text = str(error)
    code, status = _code_of(error), _status_of(text)
    if code == NO_BUCKET:
        return StoreFault(f"is missing ({NO_BUCKET})")
    if code in KEY_REFUSED:
        return StoreFault(f"cannot be read: its keys are refused ({code}); give valid ones")
    if code == "AccessDenied" or status in REFUSED_STATUS:
        return StoreFault(f"cannot be read: access is denied ({code or status})", is_denied=True)
    if type(error).__name__ == "InvalidPathError":
        found = INVALID_PATH.search(text)
        return StoreFault(f"has a key that is no path, {found[1] if found else 'unnamed'!r}: rename or remove it")
    if "redirect without LOCATION" in text or code in ("PermanentRedirect", "IllegalLocationConstraintException"):
        return StoreFault("is in another region: set AWS_REGION")
    if OWN_KEYS.search(text):
        return StoreFault("has no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    why = " ".join(filter(None, (status, code))) or ("no answer in time" if "timed out" in text else "no answer")
    return StoreFault(f"cannot be reached ({why})")


def _code_of(error: Exception) -> str:
    found = CODE.search(str(error))
    return found[1] if found else ""


def _status_of(text: str) -> str:
    found = STATUS.search(text)
    return (found[1] or found[2]) if found else ""
