"""The result of one check: its subject, its state, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]
"""With a warning things are slow or small; with broken they do not work."""


@dataclass(frozen=True)
class CheckResult:
    """One checked thing of this machine; `remedy` is a sentence unless the state is ok."""

    name: str
    state: State
    found: str
    remedy: str | None = None


def ok(name: str, found: str) -> CheckResult:
    """Nothing is to be done."""
    return CheckResult(name, "ok", found)


def warning(name: str, found: str, remedy: str) -> CheckResult:
    """It works, and not as well as it could."""
    return CheckResult(name, "warning", found, remedy)


def broken(name: str, found: str, remedy: str) -> CheckResult:
    """It does not work without the remedy."""
    return CheckResult(name, "broken", found, remedy)
