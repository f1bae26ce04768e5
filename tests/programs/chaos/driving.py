"""One run: a system, somebody who writes, somebody who kills, and the judgement when they have ended."""

import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lookalike import Client, LookalikeError
from tests.local.conftest import Machine
from tests.programs.chaos.judging import Stamps, Verdict, judge, stamps_of
from tests.programs.chaos.killing import Killer
from tests.programs.chaos.writing import Writer
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

UP_WITHIN_S = 60.0
LOOK_S = 0.5
TURN_S = 0.02
# A fault in the first seconds would meet a system that is not there yet.
FIRST_KILL_S = 2.0
PATIENCE_S = 180.0


@dataclass(frozen=True)
class Plan:
    """What is done to the system; bursts come on top of `files`, and a last kill when the last byte is written."""

    seconds: float
    seed: int
    files: int
    kills: int
    burst_files: int


@dataclass
class Report:
    """What became of it."""

    seed: int
    seconds: float
    files_written: int
    doings: dict[str, int]
    kills: dict[str, int]
    lost: int
    ghosts: int
    wrong: int
    indexed: int
    rejected: int
    embedded: int
    # Inferences beyond one for each content that was ever written: no less than that.
    embedded_more_than_once: int
    # None if index and library did not agree within PATIENCE_S.
    seconds_to_agree: float | None
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, left over or wrong."""
        return self.lost == self.ghosts == self.wrong == 0 and self.seconds_to_agree is not None

    def json(self) -> dict[str, Any]:
        """As it is written to a file."""
        return asdict(self)


def run(plan: Plan, folder: Path, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Runs the plan in this folder, where library, data and logs stay."""
    machine = Machine(folder)
    model = tiny_model(folder / "tiny.onnx")
    up = [sys.executable, "-c", "from lookalike.cli import main; main()", "up", str(machine.library)]
    where = ["--data", str(machine.folder.root), "--model", str(model)]
    try:
        running = machine.start([*up, *where], LOOKALIKE_INGEST_PROCESSES="2")
        with Client(data=machine.folder.root) as client:
            wait_until(lambda: is_at_rest(client), UP_WITHIN_S)
            writer = Writer(machine.library, folder / "outside", random.Random(plan.seed), plan.burst_files)
            killer = Killer(machine, random.Random(plan.seed + 1))
            _harm(plan, writer, killer, tell)
            agreed_s = agreement(client, machine.library, tell)
            store = store_of(running)
            verdict = judge(machine.library, store, running.name, model)
            store.close()
            return _report(plan, writer, killer, verdict, client.status().embedded_total, agreed_s)
    finally:
        machine.clear()


def _harm(plan: Plan, writer: Writer, killer: Killer, tell: Callable[[str], None]) -> None:
    chance = random.Random(plan.seed + 2)
    kills_at_s = sorted(chance.uniform(FIRST_KILL_S, plan.seconds) for _ in range(plan.kills))
    begun_s = told_s = time.monotonic()
    while (now_s := time.monotonic() - begun_s) < plan.seconds:
        while kills_at_s and kills_at_s[0] <= now_s:
            del kills_at_s[0]
            killer.kill()
        if writer.files_written - writer.files_in_bursts < plan.files * now_s / plan.seconds:
            writer.step()
        else:
            time.sleep(TURN_S)
        writer.go_on()
        if time.monotonic() - told_s > 10:
            told_s = time.monotonic()
            tell(f"{now_s:.0f} s: {writer.files_written} files written, {killer.kills.total()} processes killed")
    writer.finish()
    killer.kill()


def agreement(client: Client, library: Path, tell: Callable[[str], None]) -> float | None:
    """Seconds from now until the index knows exactly the files in their versions and nothing is left to do."""
    begun_s = time.monotonic()
    wanted = stamps_of(library)
    while (now_s := time.monotonic() - begun_s) < PATIENCE_S:
        known = _known(client, wanted)
        if known == wanted and is_at_rest(client):
            return time.monotonic() - begun_s
        differing = "-" if known is None else len(set(known.items()) ^ set(wanted.items()))
        tell(f"{now_s:.0f} s after the last fault: {differing} differ")
        time.sleep(LOOK_S)
    return None


def _known(client: Client, wanted: Stamps) -> Stamps | None:
    """What is in the index; None while a part that was killed is not back."""
    with suppress(LookalikeError):
        unsaid = (0, 0)
        files = client.list()
        return {
            file.path: unsaid if wanted.get(file.path) == unsaid else (file.size_bytes, file.mtime_ns) for file in files
        }
    return None


def is_at_rest(client: Client) -> bool:
    with suppress(LookalikeError):
        return client.status().is_done
    return False


def _report(
    plan: Plan, writer: Writer, killer: Killer, verdict: Verdict, embedded: int, agreed_s: float | None
) -> Report:
    return Report(
        seed=plan.seed,
        seconds=plan.seconds,
        files_written=writer.files_written,
        doings=dict(sorted(writer.done.items())),
        kills=dict(sorted(killer.kills.items())),
        lost=len(verdict.lost),
        ghosts=len(verdict.ghosts),
        wrong=len(verdict.wrong),
        indexed=verdict.indexed,
        rejected=verdict.rejected,
        embedded=embedded,
        embedded_more_than_once=max(0, embedded - len(writer.contents)),
        seconds_to_agree=None if agreed_s is None else round(agreed_s, 1),
        examples=[
            f"{what}: {path}"
            for what, paths in (("lost", verdict.lost), ("ghost", verdict.ghosts), ("wrong", verdict.wrong))
            for path in paths[:10]
        ],
    )
