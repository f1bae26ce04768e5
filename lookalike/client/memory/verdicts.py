"""Verdicts in memory, for lookalike/testing.py: kept as a worker keeps them, without file and store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lookalike.duplicates.verdict_messages import (
    ReadVerdicts,
    VerdictMessage,
    VerdictReply,
    VerdictsReply,
    new_verdicts,
    paths_of,
)
from lookalike.duplicates.verdicts import PairVerdict, Verdicts


class MemoryVerdicts:
    """The verdicts of one index."""

    def __init__(self) -> None:
        self._known = Verdicts()

    def record(self, message: VerdictMessage, payloads: Mapping[str, Mapping[str, Any]]) -> VerdictReply:
        """Keeps the verdicts; `payloads` are those of the index, by path. Raises Refused."""
        sha256_of = {path: payload["sha256"] for path, payload in payloads.items() if payload.get("sha256")}
        known = {path: sha256_of[path] for path in paths_of(message.verdicts) if path in sha256_of}
        changes = new_verdicts(message.verdicts, known, self._known, datetime.now(UTC))
        for verdict in changes:
            self._known.add(verdict)
        return VerdictReply(recorded=len(changes), unchanged=len(message.verdicts) - len(changes))

    def page(self, ask: ReadVerdicts) -> VerdictsReply:
        """A page in order of the pairs."""
        after = ask.after or ""
        wanted = [found for found in sorted(self._known, key=_key) if _key(found) > after]
        page = wanted[: ask.limit]
        return VerdictsReply(verdicts=page, next=_key(page[-1]) if len(wanted) > len(page) else None)


def _key(verdict: PairVerdict) -> str:
    return "".join(verdict.contents)
