"""Whether a system lives, and whether it is ready: two questions, because a restart helps in the first case alone."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from lookalike.client.status import Status
from lookalike.errors import LookalikeError

# Without one of these no search is answered, as /readyz of the gallery has it.
ANSWERING = ("broker", "store", "search")


class Health(BaseModel):
    """`lookalike health --json`. `ready` is null where it was not asked; `why` has a sentence for each fault.

    A part is `up`, `silent` (no sign of life), `down` (its program does not run) or `unknown`.
    """

    model_config = ConfigDict(frozen=True)

    live: bool
    ready: bool | None
    why: list[str]
    parts: dict[str, str]


def programs_health(programs: Mapping[str, bool]) -> Health:
    """By the programs of this machine, each with whether it runs: asks neither broker nor store, so both may be down.

    Without any their supervisor does not answer.
    """
    down = [part for part, runs in programs.items() if not runs]
    why = [f"{part} does not run: see `lookalike logs {part}`." for part in down]
    if not programs:
        why = ["The supervisor does not answer: `lookalike down`, then `lookalike up`."]
    parts = {part: "up" if runs else "down" for part, runs in programs.items()}
    return Health(live=not why, ready=None, why=why, parts=parts)


def signs_health(status: Status | LookalikeError) -> Health:
    """By signs of life at the broker, of a system on another machine."""
    if isinstance(status, LookalikeError):
        return Health(live=False, ready=None, why=[str(status)], parts={"broker": "silent"})
    silent = [part for part, state in status.parts.items() if state == "silent" and part != "store"]
    why = [f"{part} gives no sign of life." for part in silent]
    return Health(live=not why, ready=None, why=why, parts=status.parts)


def with_readiness(lives: Health, status: Status | LookalikeError) -> Health:
    """The same, and whether searches are answered now."""
    if isinstance(status, LookalikeError):
        return lives.model_copy(update={"ready": False, "why": [*dict.fromkeys([*lives.why, str(status)])]})
    silent = [part for part in ANSWERING if status.parts.get(part) != "up"]
    why = [f"{part} does not answer." for part in silent if lives.parts.get(part) != "down"]
    parts = {**status.parts, **{part: state for part, state in lives.parts.items() if state == "down"}}
    if silent and status.warning:
        why.append(status.warning)
    known = [sentence for sentence in lives.why if sentence not in why]
    return Health(live=lives.live, ready=lives.live and not silent, why=[*known, *why], parts={**lives.parts, **parts})
