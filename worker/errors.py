"""The ways in which work on an image can fail, kept apart because each is handled differently.

Rejected      the file is at fault: recorded with its reason, not retried until it changes
ReadFailed    the disk cannot read these files (EIO, ESTALE): retried a few times, then at each scan
StoreRefused  the store does not accept the request: retried a few times, then at each scan
Unavailable   the library, the store or the broker: the task waits and is retried
(any other exception: a bug of ours)
"""

from collections.abc import Mapping


class Rejected(Exception):
    """This image cannot be embedded; `str(error)` is the reason, in words for the owner of the file.

    `may_pass`: a retry can help though the file itself does not change (a missing permission).
    """

    def __init__(self, reason: str, *, may_pass: bool = False) -> None:
        super().__init__(reason)
        self.may_pass = may_pass


class TooLargeToDecode(Rejected):
    """It has more pixels, or takes more memory, than is allowed here."""


class Unavailable(Exception):
    """Something that the work needs is unavailable; `str(error)` names it. A retry after `retry_after_s` can help."""

    def __init__(self, what: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class LibraryOffline(Unavailable):
    """The library's folder is missing or unexpectedly empty: no file may count as deleted."""


class ReadFailed(Exception):
    """The disk failed to read these files, and only these: path -> reason. A retry can help."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        path, reason = next(iter(reasons.items()))
        super().__init__(f"{path!r}: {reason}")
        self.reasons = reasons


class Unfit(Unavailable):
    """This worker cannot work with its settings: the operator must change one, or the thing that it names."""


class StoreUnavailable(Unavailable):
    """Qdrant does not answer, or cannot serve now."""


class CollectionMissing(StoreUnavailable):
    """Qdrant answers and does not have our collection: it was removed, or the store came back empty."""


class IndexRefused(Unavailable):
    """The index at the store may not be written to; `str(error)` has the remedy."""


class StoreRefused(Exception):
    """Qdrant does not accept the request, however often it is sent; `str(error)` has Qdrant's text."""


class TooMany(StoreRefused):
    """Qdrant accepts fewer items at once."""


class TooLarge(StoreRefused):
    """Qdrant accepts fewer bytes at once."""
