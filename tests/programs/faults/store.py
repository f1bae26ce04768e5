"""Which request to a store is of which kind, and how it can fail."""

from collections.abc import Callable

from tests.programs.faults.injecting import Injector
from tests.support.faulty.between import Answer, Forward, Request
from tests.support.faulty.misbehaving import refusal

LOST, LOST_AFTER, SILENT = "connection lost", "connection lost after", "no answer in time"
ANSWERS = {
    "400": refusal(400, "Wrong input: something is wrong with it"),
    "404": refusal(404, "Not found: Collection `lookalike` doesn't exist!"),
    "404 page": Answer(404, b"<html>no such page</html>"),
    "408": refusal(408, "Timeout: it took too long"),
    "413": Answer(413, b"<html>Request Entity Too Large</html>"),
    "422": refusal(422, "unknown field"),
    "429": refusal(429, "Rate limiting exceeded", retry_after="1"),
    "500": refusal(500, "Service internal error: No space left on device"),
    "503": refusal(503, "The replica is dead"),
}
ERRORS = (LOST, LOST_AFTER, SILENT, *ANSWERS)


def kind_of(request: Request) -> str:
    """Such as "store: upsert"."""
    path = request.path
    if path.endswith("/points/delete"):
        return "store: delete"
    if path.endswith("/points/scroll"):
        return "store: scroll"
    if path.endswith("/points/count"):
        return "store: count"
    if path.endswith("/points"):
        return "store: upsert" if request.method == "PUT" else "store: retrieve"
    return "store: describe"


def failing_store(injector: Injector, silence: Callable[[], object]) -> Callable[[Request, Forward], Answer | None]:
    """For `server_between`: answers as the injector says; `silence` waits for longer than a client does."""

    def answer(request: Request, forward: Forward) -> Answer | None:
        error = injector.meet(kind_of(request))
        if error == SILENT:
            forward(request)
            silence()
            return None
        if error == LOST_AFTER:
            forward(request)
        if error in (LOST, LOST_AFTER):
            return None
        return forward(request) if error is None else ANSWERS[error]

    return answer
