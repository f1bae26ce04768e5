"""How looking at a file of the library can fail, kept apart because each is handled differently.

Rejected        the file is at fault: recorded with its reason, not retried until it changes
ReadFailed      the disk cannot read these files (EIO, ESTALE): retried a few times, then at each scan
LibraryOffline  the library is missing, does not answer or is unexpectedly empty: the caller waits and asks again
Changing        the file changed while it was read: read again
"""

from collections.abc import Mapping


class Unavailable(Exception):
    """Something that the work needs is unavailable; `str(error)` names it. A retry after `retry_after_s` can help."""

    def __init__(self, what: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class LibraryOffline(Unavailable):
    """The library is missing, does not answer or is unexpectedly empty: no file may count as deleted."""


class Rejected(Exception):
    """This image cannot be embedded; `str(error)` is the reason, in words for the owner of the file.

    `may_pass`: a retry can help though the file itself does not change (a missing permission). `is_poison`: it killed
    or hung a process, and is not opened again for less than another size or mtime.
    """

    def __init__(self, reason: str, *, may_pass: bool = False, is_poison: bool = False) -> None:
        super().__init__(reason)
        self.may_pass = may_pass
        self.is_poison = is_poison


class ReadFailed(Exception):
    """The disk failed to read these files, and only these: path -> reason. A retry can help."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        path, reason = next(iter(reasons.items()))
        super().__init__(f"{path!r}: {reason}")
        self.reasons = reasons


class Changing(Exception):
    """The file changed while it was being read; its bytes are useless."""
