"""The meaning of Qdrant's error responses, over REST and over gRPC. Pure: waits for nothing, sends nothing.

One table for statuses and one for codes. They follow what the server does: it answers 429 for its rate limits, 408 for
a write that took too long, 503 for a shard without a living replica, 500 for a full disk, 400 for its strict mode and
for a body that is too large, 403 for a missing right and while it is locked. The rest are answers of proxies.
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

# All that the client raises for a response, or for a missing one.
STORE_ERRORS = (ResponseHandlingException, UnexpectedResponse, QdrantException, grpc.RpcError)


class Meaning(Enum):
    """What an error response means for the request."""

    WAIT = "the store cannot serve now; the same request can succeed later"
    MISSING = "the store does not have our collection"
    KEY = "the store does not accept our key, or the key lacks a right; the operator can change that while we wait"
    REFUSED = "the store does not accept this request"
    TOO_MANY = "the store accepts fewer items at once"
    TOO_LARGE = "the store accepts fewer bytes at once"


STATUSES: Mapping[int, Meaning] = {
    400: Meaning.REFUSED,
    401: Meaning.KEY,
    403: Meaning.KEY,
    404: Meaning.MISSING,
    # Of a proxy that forbids writing, wants a password, or leads to another server: no image is at fault.
    405: Meaning.WAIT,
    407: Meaning.WAIT,
    408: Meaning.WAIT,
    409: Meaning.WAIT,
    413: Meaning.TOO_LARGE,
    414: Meaning.REFUSED,
    415: Meaning.REFUSED,
    421: Meaning.WAIT,
    422: Meaning.REFUSED,
    423: Meaning.WAIT,
    425: Meaning.WAIT,
    429: Meaning.WAIT,
    431: Meaning.REFUSED,
    500: Meaning.WAIT,
    502: Meaning.WAIT,
    503: Meaning.WAIT,
    504: Meaning.WAIT,
    507: Meaning.WAIT,
}

CODES: Mapping[grpc.StatusCode, Meaning] = {
    grpc.StatusCode.CANCELLED: Meaning.WAIT,
    grpc.StatusCode.UNKNOWN: Meaning.WAIT,
    grpc.StatusCode.INVALID_ARGUMENT: Meaning.REFUSED,
    grpc.StatusCode.DEADLINE_EXCEEDED: Meaning.WAIT,
    grpc.StatusCode.NOT_FOUND: Meaning.MISSING,
    grpc.StatusCode.ALREADY_EXISTS: Meaning.WAIT,
    grpc.StatusCode.PERMISSION_DENIED: Meaning.KEY,
    grpc.StatusCode.UNAUTHENTICATED: Meaning.KEY,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Meaning.WAIT,
    grpc.StatusCode.FAILED_PRECONDITION: Meaning.WAIT,
    grpc.StatusCode.ABORTED: Meaning.WAIT,
    grpc.StatusCode.OUT_OF_RANGE: Meaning.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: Meaning.REFUSED,
    grpc.StatusCode.INTERNAL: Meaning.WAIT,
    grpc.StatusCode.UNAVAILABLE: Meaning.WAIT,
    grpc.StatusCode.DATA_LOSS: Meaning.WAIT,
}

# What only the text tells: the first match wins, among the rows that start with the meaning of the status or code.
_TOO_LARGE = r"larger than (allowed|max)|length too large|payload has exceeded limit"
WORDS: tuple[tuple[Meaning, str, Meaning], ...] = (
    (Meaning.REFUSED, _TOO_LARGE, Meaning.TOO_LARGE),
    # gRPC has no code of its own for it; the last is how a proxy's 413 is reported.
    (Meaning.WAIT, _TOO_LARGE + r"|http2 header with status: 413", Meaning.TOO_LARGE),
    # A rate limit that grants fewer points a minute than the request has: waiting does not help.
    (Meaning.WAIT, r"larger than rate limiter capacity", Meaning.TOO_MANY),
    # Strict mode: the index is as large as the server's settings allow. The next image is not at fault.
    (Meaning.REFUSED, r"limit of .+ exceeded", Meaning.WAIT),
    (Meaning.REFUSED, r"limit (exceeded|reached)", Meaning.TOO_MANY),
)
_READ_ONLY = re.compile(r"\b(write|manage) access|read.?only", re.IGNORECASE)
# How qdrant-client reports a header that it cannot parse (qdrant_client/common/client_exceptions.py).
_UNREAD_RETRY_AFTER = re.compile(r"Retry-After header value is not a valid integer: (.*)", re.DOTALL)
LONGEST_WORDS = 400


def meaning_of_status(status: int, words: str = "") -> Meaning:
    """The meaning of a status; of those that the table lacks, 4xx is a refusal and all others are temporary."""
    by_default = Meaning.REFUSED if status // 100 == 4 else Meaning.WAIT  # noqa: PLR2004
    return _refined(STATUSES.get(status, by_default), words)


def meaning_of_code(code: grpc.StatusCode, words: str = "") -> Meaning:
    """The meaning of a gRPC code."""
    return _refined(CODES.get(code, Meaning.WAIT), words)


def translate_error(error: Exception, *, now: datetime | None = None) -> StoreUnavailable | StoreRefused:
    """Our error for one of qdrant-client, with the server's text. `now` is for a Retry-After that is a date."""
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
    """Seconds to wait: the header has their number or a date (RFC 9110, 10.2.3). 0 if it has neither."""
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
    """The sentence in Qdrant's error body, or the short text of another server; empty if there is none."""
    try:
        text = json.loads(body)["status"]["error"]
    except (ValueError, TypeError, KeyError):
        text = body.decode("utf-8", "replace").strip()
        # Pages for browsers repeat the status in a kilobyte.
        text = "" if text.startswith(("<", "{", "[")) else text
    return " ".join(str(text).split())[:LONGEST_WORDS]


def _of_response(error: UnexpectedResponse, now: datetime) -> StoreUnavailable | StoreRefused:
    status, words = error.status_code or 0, words_of(error.content)
    meaning = meaning_of_status(status, words)
    if meaning is Meaning.MISSING and not _is_of_qdrant(error.content):
        # The 404 of a web server: there is no Qdrant at that address, or not now.
        meaning = Meaning.WAIT
    header = error.headers.get("retry-after", "") if error.headers else ""
    return _error(meaning, str(status), words or error.reason_phrase, retry_after_s(header, now))


def _of_call(error: grpc.RpcError) -> StoreUnavailable | StoreRefused:
    # The errors of a channel are Calls too, which have code and text; the type RpcError does not declare it.
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
    cause = ": ".join(part for part in (number, words) if part)
    match meaning:
        case Meaning.WAIT:
            return StoreUnavailable(f"Qdrant cannot serve now ({cause})", retry_after_s=asked_s)
        case Meaning.MISSING:
            return CollectionMissing(f"Qdrant does not have the collection ({cause})", retry_after_s=asked_s)
        case Meaning.KEY:
            lacks = "may read only and lookalike must write" if _READ_ONLY.search(words) else "is not accepted for this"
            return StoreUnavailable(f"QDRANT_API_KEY {lacks}: Qdrant says {cause}", retry_after_s=asked_s)
        case Meaning.TOO_MANY:
            return TooMany(f"Qdrant takes fewer at once ({cause})")
        case Meaning.TOO_LARGE:
            return TooLarge(f"Qdrant takes fewer bytes in one request ({cause})")
        case Meaning.REFUSED:
            return StoreRefused(f"Qdrant refuses what it was sent ({cause})")


def _is_of_qdrant(body: bytes) -> bool:
    try:
        return "error" in json.loads(body)["status"]
    except (ValueError, TypeError, KeyError):
        return False
