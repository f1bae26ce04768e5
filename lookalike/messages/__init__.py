"""The contract of the tasks: what may be sent, what comes back. Any Celery app may send these as JSON.

Every message has a version `v`; a worker refuses unknown ones. Paths are relative to the
library, POSIX, UTF-8, without `..`; times are nanoseconds since 1970, sizes are bytes.
"""

from lookalike.duplicates.verdict_messages import NewVerdict, ReadVerdicts, VerdictMessage, VerdictReply, VerdictsReply
from lookalike.library.paths import MAX_PATH_CHARS
from lookalike.messages.bounds import MAX_MESSAGE_PATHS, MAX_PAGE, MAX_QUERIES, MAX_THUMBNAIL_PX
from lookalike.messages.duplicates import DuplicatesMessage, DuplicatesReply
from lookalike.messages.faults import first_fault
from lookalike.messages.reading import (
    CountsReply,
    FilesReply,
    KnownFile,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    ReadSample,
    SampleReply,
)
from lookalike.messages.search import QueryReply, SearchManyMessage, SearchManyReply, SearchMessage, SearchReply
from lookalike.messages.sync import SyncMessage, SyncReply
from lookalike.messages.thumbnail import ThumbnailMessage, ThumbnailReply
from lookalike.search.query import (
    MAX_EXAMPLES,
    MAX_INLINE_QUERY_BYTES,
    MAX_NUMBERS,
    MAX_OFFSET,
    ImageById,
    ImageByKey,
    ImageByPath,
    ImageByVector,
    ImageInline,
    SearchExample,
    SearchQuery,
)
from lookalike.strict import Strict

# What a search is made of is in lookalike/search/query.py, verdicts in lookalike/duplicates/.
__all__ = [
    "MAX_EXAMPLES",
    "MAX_INLINE_QUERY_BYTES",
    "MAX_MESSAGE_PATHS",
    "MAX_NUMBERS",
    "MAX_OFFSET",
    "MAX_PAGE",
    "MAX_PATH_CHARS",
    "MAX_QUERIES",
    "MAX_THUMBNAIL_PX",
    "CountsReply",
    "DuplicatesMessage",
    "DuplicatesReply",
    "FilesReply",
    "ImageById",
    "ImageByKey",
    "ImageByPath",
    "ImageByVector",
    "ImageInline",
    "KnownFile",
    "NewVerdict",
    "QueryReply",
    "ReadCounts",
    "ReadKnown",
    "ReadMessage",
    "ReadPage",
    "ReadSample",
    "ReadVerdicts",
    "SampleReply",
    "SearchExample",
    "SearchManyMessage",
    "SearchManyReply",
    "SearchMessage",
    "SearchQuery",
    "SearchReply",
    "Strict",
    "SyncMessage",
    "SyncReply",
    "ThumbnailMessage",
    "ThumbnailReply",
    "VerdictMessage",
    "VerdictReply",
    "VerdictsReply",
    "first_fault",
]
