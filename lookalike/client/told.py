"""What came of a task, in the words that Flower and the logs show in place of its result."""

import ast
import re
from collections.abc import Iterable

from pydantic import BaseModel

from lookalike.duplicates.verdict_messages import VerdictReply, VerdictsReply
from lookalike.messages import (
    CountsReply,
    DuplicatesReply,
    FilesReply,
    SampleReply,
    SearchManyReply,
    SearchReply,
    SyncReply,
    ThumbnailReply,
)

MOST_CHARS = 200
MB = 1_000_000


def told(reply: BaseModel) -> str:
    """One line, such as `9 embedded, 1 rejected`; the kind of reply for one that is not known here."""
    line = _line(reply)
    return line if len(line) <= MOST_CHARS else f"{line[: MOST_CHARS - 1]}…"


def sentence(exception: str) -> str:
    """The sentence of an error that Celery wrote down by `repr`: of "Refused('No image.')" it is "No image."."""
    found = re.fullmatch(r"[\w.]+\((.*?),?\)", exception, re.DOTALL)
    if found is None:
        return exception
    try:
        text = ast.literal_eval(found[1] or "''")
    except (SyntaxError, ValueError):
        return exception
    return text if isinstance(text, str) and text else exception


def _line(reply: BaseModel) -> str:  # noqa: PLR0911 (one for each kind)
    match reply:
        case SyncReply(split=int(paths)) if paths:
            return f"{_number(paths, 'path')} sent again one by one, for one of them ended or broke its process"
        case SyncReply():
            return _counts(reply.model_dump().items()) or "nothing to do"
        case SearchReply():
            best = reply.neighbours[0] if reply.neighbours else None
            nearest = "" if best is None else f", the nearest {best.path} ({best.similarity:.3f})"
            note = f"; {reply.note}" if reply.note else ""
            return f"{_number(len(reply.neighbours), 'neighbour')}{nearest}{note}"
        case SearchManyReply():
            refused = sum(each.error is not None for each in reply.replies)
            return _counts([("answered", len(reply.replies) - refused), ("refused", refused)])
        case ThumbnailReply():
            return f"a picture of a {reply.format} of {reply.width_px} x {reply.height_px}"
        case VerdictReply():
            return f"{_number(reply.recorded, 'verdict')} kept, {reply.unchanged} known before"
        case DuplicatesReply():
            saved = f"{reply.saved_bytes / MB:.1f} MB to be saved"
            compared = f"{reply.compared} compared in {reply.took_s:.3g} s"
            return f"{_number(reply.groups, 'group')} of {_number(reply.files, 'file')}, {saved}, {compared}"
    return _of_question(reply)


def _of_question(reply: BaseModel) -> str:
    """Of the answers to questions about the index."""
    match reply:
        case CountsReply():
            return f"{reply.indexed} indexed, {reply.rejected} rejected"
        case FilesReply():
            return f"{_number(len(reply.files), 'file')}{', and more' if reply.next else ''}"
        case SampleReply():
            return f"{len(reply.paths)} of {_number(reply.among, 'file')}"
        case VerdictsReply():
            return f"{_number(len(reply.verdicts), 'verdict')}{', and more' if reply.next else ''}"
    return type(reply).__name__


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts if count)


def _number(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
