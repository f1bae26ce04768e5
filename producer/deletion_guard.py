"""Whether a scan may remove what it found gone: little always, much only when somebody allowed it."""

from dataclasses import dataclass


@dataclass
class DeletionGuard:
    """The rule and the permission. The scan reads `is_allowed` and sets `is_used`; the reporter talks to Redis.

    A disk that is not mounted looks the same as a folder that was emptied.
    """

    most_share: float
    most_files: int
    is_allowed: bool = False
    is_used: bool = False
    # Whether the last scan held removals back.
    is_asking: bool = False

    def must_ask(self, removed: int, indexed: int) -> bool:
        """Whether that many of the files in the index are too many to remove unasked."""
        return removed >= self.most_files and removed > self.most_share * indexed

    def blocks(self, removed: int, indexed: int) -> bool:
        """Whether the scan must not remove them now. A permission is used up by the scan that needs it."""
        self.is_asking = self.must_ask(removed, indexed) and not self.is_allowed
        self.is_used = self.is_used or (self.must_ask(removed, indexed) and self.is_allowed)
        return self.is_asking
