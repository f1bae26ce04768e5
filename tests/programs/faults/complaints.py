"""What is wrong after a fault, in words: with the index, and where threads stand that do not end."""

import sys
import threading
import traceback
from collections.abc import Iterator

from tests.programs.chaos.judging import Verdict
from tests.programs.faults.scenario import FILES, LEFT_OUT


def stacks(threads: list[threading.Thread]) -> Iterator[str]:
    """Where these threads are."""
    frames = sys._current_frames()  # noqa: SLF001 (documented for debuggers)
    for thread in threads:
        if thread.ident in frames:
            yield "".join([thread.name, "\n", *traceback.format_stack(frames[thread.ident])])


def complaints_of(verdict: Verdict) -> list[str]:
    """What is wrong with the index."""
    # The folder is part of the library for whoever does not know the rule.
    lost = [path for path in verdict.lost if not path.startswith(LEFT_OUT)]
    wrong = [f"lost {path}" for path in lost]
    wrong += [f"ghost {path}" for path in verdict.ghosts] + [f"wrong: {path}" for path in verdict.wrong]
    if verdict.indexed + verdict.rejected != FILES:
        wrong.append(f"{verdict.indexed} are indexed and {verdict.rejected} rejected, which is not {FILES}")
    return wrong
