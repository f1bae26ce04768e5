"""Which faults are tried: every kind of call, every n, every error that such a call can meet."""

import itertools
import random
from collections.abc import Iterator, Mapping

from tests.programs.faults import broker, files, store
from tests.programs.faults.injecting import Fault

# So many calls in a row fail where a fault stays for a while: more than what retries by itself asks again.
STAYS_FOR = 12
# The scan asks for the queue's length as often as it has to wait for the worker.
MOST_POLLS = 5
POLLING = "broker: LLEN"


def errors_of(kind: str) -> tuple[str, ...]:
    """How a call of this kind can fail."""
    edge, _, call = kind.partition(": ")
    if edge == "store":
        return store.ERRORS
    if edge == "broker":
        return broker.errors_of(kind)
    return files.ERRORS_OF[call]


def all_faults(calls: Mapping[str, int]) -> Iterator[Fault]:
    """Every fault of a run in which each kind of call was made so often."""
    for kind, count in sorted(calls.items()):
        numbers = range(1, 1 + (min(count, MOST_POLLS) if kind == POLLING else count))
        for nth, error in itertools.product(numbers, errors_of(kind)):
            yield Fault(kind, nth, error)
            if error not in (files.SHORT, files.CHANGED, store.SILENT):
                yield Fault(kind, nth, error, STAYS_FOR)


def one_error_each(calls: Mapping[str, int], *, first: int = 0) -> Iterator[Fault]:
    """Every n of every kind with one error: the next one for the next n, beginning with the error of this number."""
    for kind, count in sorted(calls.items()):
        errors = errors_of(kind)
        for nth in range(1, 1 + (min(count, MOST_POLLS) if kind == POLLING else count)):
            yield Fault(kind, nth, errors[(first + nth - 1) % len(errors)])


def few_faults(calls: Mapping[str, int], *, together: int, seed: int) -> list[tuple[Fault, ...]]:
    """So many groups of a file's, a store's and a broker's fault, in which every kind of call comes if there is room.

    The groups differ with the seed. Of two faults of files one could deceive each witness of a deletion.
    """
    chance = random.Random(seed)
    edges: dict[str, list[Fault]] = {"files": [], "store": [], "broker": []}
    for kind, count in sorted(calls.items()):
        edge = kind.partition(": ")[0]
        errors = [error for error in errors_of(kind) if error != store.SILENT]
        nth = chance.randint(1, min(count, MOST_POLLS) if kind == POLLING else count)
        edges[edge if edge in edges else "files"].append(Fault(kind, nth, chance.choice(errors)))
    for faults in edges.values():
        chance.shuffle(faults)
    return [tuple(faults[at % len(faults)] for faults in edges.values()) for at in range(together)]
