"""What each status and each gRPC code means, by real answers of real servers that qdrant-client takes in."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import grpc
import pytest
from qdrant_client import QdrantClient

from tests.support.faulty.between import Answer
from tests.support.faulty.misbehaving import Faults, misbehaving, refusal
from tests.support.valkey import free_port
from worker.errors import CollectionMissing, StoreRefused, StoreUnavailable, TooLarge, TooMany
from worker.index.qdrant import call_store
from worker.index.store_errors import CODES, STATUSES, Meaning, retry_after_s

KINDS: dict[Meaning | str, type[Exception]] = {
    Meaning.WAIT: StoreUnavailable,
    Meaning.MISSING: CollectionMissing,
    Meaning.KEY: StoreUnavailable,
    Meaning.REFUSED: StoreRefused,
    Meaning.TOO_MANY: TooMany,
    Meaning.TOO_LARGE: TooLarge,
    "many": TooMany,
    "large": TooLarge,
    "read": StoreUnavailable,
    "key": StoreUnavailable,
}
BEGINNINGS = {
    Meaning.WAIT: "Qdrant cannot serve now",
    Meaning.MISSING: "Qdrant does not have the collection",
    Meaning.KEY: "QDRANT_API_KEY",
    Meaning.REFUSED: "Qdrant refuses what it was sent",
    Meaning.TOO_MANY: "Qdrant takes fewer at once",
    Meaning.TOO_LARGE: "Qdrant takes fewer bytes in one request",
}
# By the server (1.16) or by what stands before it.
STATUS_MEANS = {
    400: Meaning.REFUSED,
    401: Meaning.KEY,
    402: Meaning.REFUSED,
    403: Meaning.KEY,
    404: Meaning.MISSING,
    405: Meaning.WAIT,
    406: Meaning.REFUSED,
    407: Meaning.WAIT,
    408: Meaning.WAIT,
    409: Meaning.WAIT,
    410: Meaning.REFUSED,
    411: Meaning.REFUSED,
    412: Meaning.REFUSED,
    413: Meaning.TOO_LARGE,
    414: Meaning.REFUSED,
    415: Meaning.REFUSED,
    416: Meaning.REFUSED,
    417: Meaning.REFUSED,
    421: Meaning.WAIT,
    422: Meaning.REFUSED,
    423: Meaning.WAIT,
    424: Meaning.REFUSED,
    425: Meaning.WAIT,
    426: Meaning.REFUSED,
    428: Meaning.REFUSED,
    429: Meaning.WAIT,
    431: Meaning.REFUSED,
    451: Meaning.REFUSED,
    301: Meaning.WAIT,
    302: Meaning.WAIT,
    307: Meaning.WAIT,
    308: Meaning.WAIT,
    **dict.fromkeys((500, 501, 502, 503, 504, 505, 506, 507, 508, 511, 520, 522, 524, 599), Meaning.WAIT),
}
CODE_MEANS = {
    "CANCELLED": Meaning.WAIT,
    "UNKNOWN": Meaning.WAIT,
    "INVALID_ARGUMENT": Meaning.REFUSED,
    "DEADLINE_EXCEEDED": Meaning.WAIT,
    "NOT_FOUND": Meaning.MISSING,
    "ALREADY_EXISTS": Meaning.WAIT,
    "PERMISSION_DENIED": Meaning.KEY,
    "RESOURCE_EXHAUSTED": Meaning.WAIT,
    "FAILED_PRECONDITION": Meaning.WAIT,
    "ABORTED": Meaning.WAIT,
    "OUT_OF_RANGE": Meaning.REFUSED,
    "UNIMPLEMENTED": Meaning.REFUSED,
    "INTERNAL": Meaning.WAIT,
    "UNAVAILABLE": Meaning.WAIT,
    "DATA_LOSS": Meaning.WAIT,
    "UNAUTHENTICATED": Meaning.KEY,
}
# What the server says, word for word, where the words decide.
SAID = (
    (400, 'Bad request: Limit exceeded 256 > 100 for "limit". Help: Reduce the "limit" parameter', Meaning.TOO_MANY),
    (400, "Payload error: JSON payload (46866880 bytes) is larger than allowed (limit: 33554432 bytes).", "large"),
    (400, "Payload error: JSON payload has exceeded limit (33554432 bytes).", "large"),
    (400, "Max vector storage size limit of 100 bytes exceeded! Help: Remove some points", Meaning.WAIT),
    (
        429,
        "Rate limiting exceeded: Write rate limit exceeded, request larger than rate limiter capacity",
        Meaning.TOO_MANY,
    ),
    (429, "Rate limiting exceeded: Write rate limit exceeded: Operation requires 64 tokens", Meaning.WAIT),
    (403, "Forbidden: Global manage access is required", "read"),
    (403, "Forbidden: Access to collection photos is required", "key"),
    (
        500,
        "Service internal error: No space left on device: WAL buffer size exceeds disk space",
        Meaning.WAIT,
    ),
    (500, "Service internal error: Too many open files (os error 24)", Meaning.WAIT),
    (503, "The replica is dead: Failed to apply operation to the minimum number of replicas", Meaning.WAIT),
)

Ask = Callable[[], object]


@pytest.fixture(scope="module")
def rest() -> Iterator[tuple[QdrantClient, Faults]]:
    faults = Faults()
    with misbehaving("http://127.0.0.1:9", faults) as url:
        client = QdrantClient(url=url, check_compatibility=False, timeout=10)
        yield client, faults
        client.close()


def raised_by(ask: Ask) -> StoreUnavailable | StoreRefused:
    with pytest.raises((StoreUnavailable, StoreRefused)) as caught:
        call_store(ask)
    return caught.value  # type: ignore[return-value]


def over_rest(rest: tuple[QdrantClient, Faults], answer: Answer) -> StoreUnavailable | StoreRefused:
    client, faults = rest
    faults.rule = lambda _: answer
    return raised_by(lambda: client.count("photos"))


@pytest.mark.parametrize(("status", "meaning"), STATUS_MEANS.items())
def test_each_status_is_told_in_the_servers_words(
    rest: tuple[QdrantClient, Faults], status: int, meaning: Meaning
) -> None:
    error = over_rest(rest, refusal(status, "the server's own words"))

    assert type(error) is KINDS[meaning]
    assert str(error).startswith(BEGINNINGS[meaning])
    assert f"{status}: the server's own words" in str(error)


def test_no_status_of_the_table_is_left_out() -> None:
    assert STATUSES.items() <= STATUS_MEANS.items()


@pytest.mark.parametrize(("status", "words", "means"), SAID)
def test_words_tell_what_the_status_does_not(
    rest: tuple[QdrantClient, Faults], status: int, words: str, means: Meaning | str
) -> None:
    error = over_rest(rest, refusal(status, words))

    assert type(error) is KINDS[means]
    assert words in str(error)
    assert ("may read only" in str(error)) == (means == "read")
    assert ("QDRANT_API_KEY" in str(error)) == (means in ("read", "key"))


def test_a_plain_sentence_is_kept_and_a_page_for_browsers_is_not(rest: tuple[QdrantClient, Faults]) -> None:
    assert "401: Invalid API key or JWT" in str(over_rest(rest, Answer(401, b"Invalid API key or JWT")))
    page = str(over_rest(rest, Answer(413, b"<html><h1>413 Request Entity Too Large</h1></html>")))
    assert page == "Qdrant takes fewer bytes in one request (413: Request Entity Too Large)"


def test_a_web_server_that_is_no_qdrant_has_no_collection_that_could_be_made(
    rest: tuple[QdrantClient, Faults],
) -> None:
    assert type(over_rest(rest, Answer(404, b"404 page not found"))) is StoreUnavailable


@pytest.mark.parametrize("status", [429, 503, 408, 500])
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_waited_for_in_both_forms(
    rest: tuple[QdrantClient, Faults], status: int, *, as_date: bool
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    error = over_rest(rest, refusal(status, "slower", retry_after=date if as_date else "90"))

    assert type(error) is StoreUnavailable
    assert 60 < error.retry_after_s <= 91


@pytest.mark.parametrize("header", ["", "soon", "-3", "nan", "inf", "1e999", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_names_no_time_to_come_asks_for_nothing(
    rest: tuple[QdrantClient, Faults], header: str
) -> None:
    error = over_rest(rest, refusal(429, "slower", retry_after=header))

    assert type(error) is StoreUnavailable
    assert error.retry_after_s == 0


def test_fractions_and_dates_count_from_now() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert retry_after_s("1.5", now) == 1.5
    assert retry_after_s("Thu, 01 Jan 2026 00:00:07 GMT", now) == 7


class Aborting(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers each call with a code."""

    def __init__(self) -> None:
        self.code, self.words, self.retry_after = grpc.StatusCode.UNKNOWN, "", ""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        del handler_call_details

        def abort(_request: bytes, context: grpc.ServicerContext) -> bytes:
            if self.retry_after:
                context.set_trailing_metadata((("retry-after", self.retry_after),))
            context.abort(self.code, self.words)
            return b""

        return grpc.unary_unary_rpc_method_handler(abort)


@pytest.fixture(scope="module")
def over_grpc() -> Iterator[tuple[Ask, Aborting]]:
    aborting, port = Aborting(), free_port()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((aborting,))
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        client = QdrantClient("127.0.0.1", grpc_port=port, prefer_grpc=True, check_compatibility=False, timeout=10)
        yield lambda: client.count("photos"), aborting
        client.close()
        server.stop(None).wait()


@pytest.mark.parametrize(("name", "meaning"), CODE_MEANS.items())
def test_each_grpc_code_is_told_in_the_servers_words(
    over_grpc: tuple[Ask, Aborting], name: str, meaning: Meaning
) -> None:
    ask, aborting = over_grpc
    aborting.code, aborting.words, aborting.retry_after = grpc.StatusCode[name], "the server's own words", ""

    error = raised_by(ask)

    assert type(error) is KINDS[meaning]
    assert str(error).startswith(BEGINNINGS[meaning])
    assert f"{name}: the server's own words" in str(error)


def test_no_grpc_code_is_left_out() -> None:
    codes = {code.name: meaning for code, meaning in CODES.items()}

    assert codes == CODE_MEANS
    assert {code.name for code in grpc.StatusCode} - {"OK"} == CODE_MEANS.keys()


@pytest.mark.parametrize("name", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_retry_after_is_waited_for_over_grpc_too(over_grpc: tuple[Ask, Aborting], name: str) -> None:
    ask, aborting = over_grpc
    aborting.code, aborting.words, aborting.retry_after = grpc.StatusCode[name], "slower", "90"

    error = raised_by(ask)

    assert type(error) is StoreUnavailable
    assert (error.retry_after_s, "slower" in str(error)) == (90, True)


@pytest.mark.parametrize(
    ("name", "words", "kind"),
    [
        ("OUT_OF_RANGE", "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes", TooLarge),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)", TooLarge),
        ("UNKNOWN", "Received http2 header with status: 413", TooLarge),
        ("INVALID_ARGUMENT", 'Limit exceeded 256 > 100 for "limit"', TooMany),
        ("RESOURCE_EXHAUSTED", "request larger than rate limiter capacity, please try to split your request", TooMany),
    ],
)
def test_words_tell_what_a_grpc_code_does_not(
    over_grpc: tuple[Ask, Aborting], name: str, words: str, kind: type[Exception]
) -> None:
    ask, aborting = over_grpc
    aborting.code, aborting.words, aborting.retry_after = grpc.StatusCode[name], words, ""

    assert type(raised_by(ask)) is kind
