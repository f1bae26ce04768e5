"""What an examination finds: one thing, how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]
"""A warning makes things slow or small; what is broken keeps them from working."""


@dataclass(frozen=True)
class Finding:
    """One thing of this machine; `remedy` is a sentence unless the state is ok."""

    name: str
    state: State
    found: str
    remedy: str | None = None


def ok(name: str, found: str) -> Finding:
    """Nothing is to be done."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """It works, and not as well as it could."""
    return Finding(name, "warning", found, remedy)


def broken(name: str, found: str, remedy: str) -> Finding:
    """It does not work until somebody does something."""
    return Finding(name, "broken", found, remedy)
