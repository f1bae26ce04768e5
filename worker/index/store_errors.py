"""What an answer of Qdrant that is no success means, over REST and over gRPC. Pure: waits for nothing, sends nothing.

One table for statuses and one for codes. They follow what the server does: it answers 429 for its rate limits, 408 for
a write that took too long, 503 for a shard without a living replica, 500 for a full disk, 400 for its strict mode and
for a body that is too large, 403 for a missing right and while it is locked. The rest is what proxies say.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import grpc
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from worker.errors import CollectionMissing, StoreRefused, StoreUnavailable, TooLarge, TooMany

# Whatever the client raises because of an answer, or because there is none.
STORE_ERRORS = (ResponseHandlingException, UnexpectedResponse, QdrantException, grpc.RpcError)


class Meaning(Enum):
    """What to do about it."""

    WAIT = "it cannot now, and the same request can be taken later"
    MISSING = "it does not have our collection"
    KEY = "it does not know our key, or the key lacks a right; another one can be given while we wait"
    OURS = "it does not take what we sent"
    TOO_MANY = "it takes fewer things at once"
    TOO_LARGE = "it takes fewer bytes at once"


STATUSES: Mapping[int, Meaning] = {
    400: Meaning.OURS,
    401: Meaning.KEY,
    403: Meaning.KEY,
    404: Meaning.MISSING,
    # Of a proxy that lets nobody write, wants a password, or leads to another server: no image is to blame.
    405: Meaning.WAIT,
    407: Meaning.WAIT,
    408: Meaning.WAIT,
    409: Meaning.WAIT,
    413: Meaning.TOO_LARGE,
    414: Meaning.OURS,
    415: Meaning.OURS,
    421: Meaning.WAIT,
    422: Meaning.OURS,
    423: Meaning.WAIT,
    425: Meaning.WAIT,
    429: Meaning.WAIT,
    431: Meaning.OURS,
    500: Meaning.WAIT,
    502: Meaning.WAIT,
    503: Meaning.WAIT,
    504: Meaning.WAIT,
    507: Meaning.WAIT,
}

CODES: Mapping[grpc.StatusCode, Meaning] = {
    grpc.StatusCode.CANCELLED: Meaning.WAIT,
    grpc.StatusCode.UNKNOWN: Meaning.WAIT,
    grpc.StatusCode.INVALID_ARGUMENT: Meaning.OURS,
    grpc.StatusCode.DEADLINE_EXCEEDED: Meaning.WAIT,
    grpc.StatusCode.NOT_FOUND: Meaning.MISSING,
    grpc.StatusCode.ALREADY_EXISTS: Meaning.WAIT,
    grpc.StatusCode.PERMISSION_DENIED: Meaning.KEY,
    grpc.StatusCode.UNAUTHENTICATED: Meaning.KEY,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Meaning.WAIT,
    grpc.StatusCode.FAILED_PRECONDITION: Meaning.WAIT,
    grpc.StatusCode.ABORTED: Meaning.WAIT,
    grpc.StatusCode.OUT_OF_RANGE: Meaning.OURS,
    grpc.StatusCode.UNIMPLEMENTED: Meaning.OURS,
    grpc.StatusCode.INTERNAL: Meaning.WAIT,
    grpc.StatusCode.UNAVAILABLE: Meaning.WAIT,
    grpc.StatusCode.DATA_LOSS: Meaning.WAIT,
}

# What only the words tell: first match wins, of the rows that begin with what status or code mean.
_TOO_LARGE = r"larger than (allowed|max)|length too large|payload has exceeded limit"
WORDS: tuple[tuple[Meaning, str, Meaning], ...] = (
    (Meaning.OURS, _TOO_LARGE, Meaning.TOO_LARGE),
    # gRPC's libraries have no code of their own for it; the last is what a proxy's 413 becomes.
    (Meaning.WAIT, _TOO_LARGE + r"|http2 header with status: 413", Meaning.TOO_LARGE),
    # A rate limit that grants fewer points a minute than the request has: waiting is of no use.
    (Meaning.WAIT, r"larger than rate limiter capacity", Meaning.TOO_MANY),
    # Strict mode: the index is as large as the server's settings allow. That is no fault of the next image.
    (Meaning.OURS, r"limit of .+ exceeded", Meaning.WAIT),
    (Meaning.OURS, r"limit (exceeded|reached)", Meaning.TOO_MANY),
)
_READ_ONLY = re.compile(r"\b(write|manage) access|read.?only", re.IGNORECASE)
# A header that qdrant-client can make nothing of is told in these words (qdrant_client/common/client_exceptions.py).
_UNREAD_RETRY_AFTER = re.compile(r"Retry-After header value is not a valid integer: (.*)", re.DOTALL)
LONGEST_WORDS = 400


def meaning_of_status(status: int, words: str = "") -> Meaning:
    """What a status means; of those that the table lacks, 4xx is our fault and everything else passes."""
    by_default = Meaning.OURS if status // 100 == 4 else Meaning.WAIT  # noqa: PLR2004
    return _refined(STATUSES.get(status, by_default), words)


def meaning_of_code(code: grpc.StatusCode, words: str = "") -> Meaning:
    """What a gRPC code means."""
    return _refined(CODES.get(code, Meaning.WAIT), words)


def ours(error: Exception, *, now: datetime | None = None) -> StoreUnavailable | StoreRefused:
    """What qdrant-client raised, in our words around the server's. `now` is for Retry-After as a date."""
    if isinstance(error, UnexpectedResponse):
        return _of_response(error, now or datetime.now(UTC))
    if isinstance(error, ResourceExhaustedResponse):
        return _error(Meaning.WAIT, "429", str(error), max(0.0, float(error.retry_after_s)))
    if isinstance(error, QdrantException):
        unread = _UNREAD_RETRY_AFTER.search(str(error))
        header = "" if unread is None else unread[1]
        words = "it asks us to wait" if unread else str(error)
        return _error(Meaning.WAIT, "429" if unread else "", words, retry_after_s(header, now or datetime.now(UTC)))
    if isinstance(error, grpc.RpcError):
        return _of_call(error)
    source = error.source if isinstance(error, ResponseHandlingException) else error
    return StoreUnavailable(f"Qdrant does not answer ({str(source) or type(source).__name__})")


def retry_after_s(header: str, now: datetime) -> float:
    """Seconds to wait: the header says a number of them or a date (RFC 9110, 10.2.3). 0 if it says neither."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return seconds if 0.0 < seconds < float("inf") else 0.0


def words_of(body: bytes) -> str:
    """The sentence in Qdrant's error body, or a short text of somebody else; empty if there is nothing to read."""
    try:
        said = json.loads(body)["status"]["error"]
    except (ValueError, TypeError, KeyError):
        text = body.decode("utf-8", "replace").strip()
        # Pages for browsers say in a kilobyte what the status says.
        said = "" if text.startswith(("<", "{", "[")) else text
    return " ".join(str(said).split())[:LONGEST_WORDS]


def _of_response(error: UnexpectedResponse, now: datetime) -> StoreUnavailable | StoreRefused:
    status, words = error.status_code or 0, words_of(error.content)
    meaning = meaning_of_status(status, words)
    if meaning is Meaning.MISSING and not _is_qdrants(error.content):
        # A web server that knows no such page: there is no Qdrant at that address, or not now.
        meaning = Meaning.WAIT
    header = error.headers.get("retry-after", "") if error.headers else ""
    return _error(meaning, str(status), words or error.reason_phrase, retry_after_s(header, now))


def _of_call(error: grpc.RpcError) -> StoreUnavailable | StoreRefused:
    # What the channel raises is a Call too, which knows code and words; the class itself does not say so.
    if not isinstance(error, grpc.Call):
        return StoreUnavailable(f"Qdrant does not answer over gRPC ({error})")
    code, words = error.code(), " ".join((error.details() or "").split())[:LONGEST_WORDS]
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    asked = trailing.get("retry-after", "")
    asked_s = retry_after_s(asked.decode() if isinstance(asked, bytes) else asked, datetime.now(UTC))
    return _error(meaning_of_code(code, words), code.name, words, asked_s)


def _refined(meaning: Meaning, words: str) -> Meaning:
    for was, pattern, refined in WORDS:
        if was is meaning and re.search(pattern, words, re.IGNORECASE):
            return refined
    return meaning


def _error(meaning: Meaning, number: str, words: str, asked_s: float) -> StoreUnavailable | StoreRefused:
    said = ": ".join(part for part in (number, words) if part)
    match meaning:
        case Meaning.WAIT:
            return StoreUnavailable(f"Qdrant cannot serve now ({said})", retry_after_s=asked_s)
        case Meaning.MISSING:
            return CollectionMissing(f"Qdrant does not have the collection ({said})", retry_after_s=asked_s)
        case Meaning.KEY:
            lacks = "may read only and lookalike must write" if _READ_ONLY.search(words) else "is not accepted for this"
            return StoreUnavailable(f"QDRANT_API_KEY {lacks}: Qdrant says {said}", retry_after_s=asked_s)
        case Meaning.TOO_MANY:
            return TooMany(f"Qdrant takes fewer at once ({said})")
        case Meaning.TOO_LARGE:
            return TooLarge(f"Qdrant takes fewer bytes in one request ({said})")
        case Meaning.OURS:
            return StoreRefused(f"Qdrant refuses what it was sent ({said})")


def _is_qdrants(body: bytes) -> bool:
    try:
        return "error" in json.loads(body)["status"]
    except (ValueError, TypeError, KeyError):
        return False
