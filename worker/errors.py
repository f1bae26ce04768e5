"""The ways in which work on an image can end badly, never confused with each other.

Rejected      the file is at fault: recorded with its reason, not tried again until it changes
Unread        the disk fails over single files: they are tried again a few times, then at each scan
StoreRefused  the store does not take what we sent: tried again a few times, then at each scan
Away          the library, the store or the broker is: the task waits and runs again
(any other exception: we are at fault)
"""

from collections.abc import Mapping


class Rejected(Exception):
    """This image cannot be embedded; `str(error)` is the reason, in words for the person who owns it.

    `may_pass`: trying again can help though the file itself does not change (a missing permission).
    """

    def __init__(self, reason: str, *, may_pass: bool = False) -> None:
        super().__init__(reason)
        self.may_pass = may_pass


class Unavailable(Exception):
    """What the work needs is not there now; `str(error)` says what. Trying again after `retry_after_s` can help."""

    def __init__(self, what: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class LibraryOffline(Unavailable):
    """The library's folder is missing or unexpectedly empty: nothing it does not show counts as deleted."""


class ReadFailed(Exception):
    """The disk failed over these files, and only over these: path -> reason. Trying again can help."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        path, reason = next(iter(reasons.items()))
        super().__init__(f"{path!r}: {reason}")
        self.reasons = reasons


class Unfit(Unavailable):
    """This worker cannot work as it is set up: somebody changes a setting, or what the setting names."""


class StoreUnavailable(Unavailable):
    """Qdrant does not answer, or cannot serve now."""


class CollectionMissing(StoreUnavailable):
    """Qdrant answers and does not have our collection: it was removed, or the store came back empty."""


class IndexRefused(Unavailable):
    """What lies at the store may not be written to; `str(error)` says what somebody has to do."""


class StoreRefused(Exception):
    """Qdrant does not take what we sent, whenever we send it; `str(error)` has its own words."""


class TooMany(StoreRefused):
    """Qdrant takes fewer things at once."""


class TooLarge(StoreRefused):
    """Qdrant takes fewer bytes at once."""
