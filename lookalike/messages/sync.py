"""The message of a sync: which paths to look at."""

from typing import Literal

from pydantic import Field

from lookalike.messages.bounds import Generation, Paths
from lookalike.strict import Strict


class SyncMessage(Strict):
    """Which paths to look at, not what happened to them. See docs/glossary.md, "sync".

    `gone` are paths that the sender saw disappear; with the id of the library it is the first of the
    two witnesses that deleting needs. `left_out` are paths that the rules of the library leave out, `rules` the digest
    of these rules. `retry_rejected` also tries rejected files that have not changed.
    """

    v: Literal[1] = 1
    paths: Paths = Field(default_factory=list)
    gone: Paths = Field(default_factory=list)
    left_out: Paths = Field(default_factory=list)
    library: str | None = None
    rules: str | None = None
    retry_rejected: bool = False
    # The generation of the index that is meant; None is the one that is searched.
    generation: Generation | None = None


class SyncReply(Strict):
    """How many paths ended which way; `split` were sent again, each alone, because one of them breaks its process."""

    embedded: int = 0
    copied: int = 0
    unchanged: int = 0
    rejected: int = 0
    deleted: int = 0
    absent: int = 0
    split: int = 0
