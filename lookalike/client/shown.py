"""What a message asks for, in the words that Flower and the workers' events show in place of its arguments."""

from collections.abc import Sequence

from lookalike.client.transports.transport import Message
from lookalike.messages import (
    DuplicatesMessage,
    ReadMessage,
    SearchManyMessage,
    SearchMessage,
    SearchQuery,
    SyncMessage,
    ThumbnailMessage,
    VerdictMessage,
)
from lookalike.search.query import ImageById, ImageByPath, SearchExample

FIRST = 3
MOST_CHARS = 300


def shown(message: Message, system: str) -> str:
    """One line: the system that is asked, and what it is asked for; of many paths the first ones."""
    match message:
        case SyncMessage():
            asked = _of_sync(message)
        case SearchMessage():
            asked = _of_query(message)
        case SearchManyMessage():
            asked = f"{len(message.queries)} queries, the first: {_of_query(message.queries[0])}"
        case ReadMessage():
            given = message.ask.model_dump(exclude_none=True, exclude={"what", "paths"})
            paths = _paths(getattr(message.ask, "paths", ()))
            asked = " ".join(filter(None, [message.ask.what, paths, *(f"{name}={given[name]}" for name in given)]))
        case VerdictMessage():
            asked = f"{len(message.verdicts)} verdicts"
        case ThumbnailMessage(image=image):
            asked = f"thumbnail of {image.path if isinstance(image, ImageByPath) else 'an image that was sent'}"
        case DuplicatesMessage():
            asked = " ".join(
                filter(None, [*message.labels, message.folder, "since the last" if message.since_last else ""])
            )
    line = f"{system}: {asked}"
    return line if len(line) <= MOST_CHARS else f"{line[: MOST_CHARS - 1]}…"


def _of_sync(message: SyncMessage) -> str:
    kinds = {"": message.paths, "gone: ": message.gone, "left out: ": message.left_out}
    asked = "; ".join(f"{kind}{_paths(paths)}" for kind, paths in kinds.items() if paths)
    return (asked or "nothing") + ("; rejected ones again" if message.retry_rejected else "")


def _of_query(query: SearchQuery) -> str:
    likes = [
        f"like {_image(example)}" if example.weight > 0 else f"unlike {_image(example)}" for example in query.examples
    ]
    more = f" and {len(likes) - FIRST} more" if len(likes) > FIRST else ""
    return f"{query.limit} {', '.join(likes[:FIRST])}{more}"


def _image(example: SearchExample) -> str:
    match example.image:
        case ImageByPath(path=path):
            return path
        case ImageById(id=point):
            return f"point {point}"
        case _:
            return example.path or "an image that was sent"


def _paths(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    number = "1 path" if len(paths) == 1 else f"{len(paths)} paths"
    return f"{number} ({', '.join(paths[:FIRST])}{', …' if len(paths) > FIRST else ''})"
