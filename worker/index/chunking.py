"""Splits reads and writes into parts that the store accepts, smaller ones when it refuses. Independent of the store."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from worker.errors import StoreRefused, TooLarge, TooMany

T = TypeVar("T")
R = TypeVar("R")

# After so many single items are refused and none is accepted, the items are not at fault.
MAX_REFUSED_ALONE = 3


@dataclass
class PartLimit:
    """How much the store accepts at once, as far as this process knows: halved when it refuses, never raised again."""

    max_items: int = sys.maxsize
    max_bytes: int = sys.maxsize

    def take_first(self, items: Sequence[T], size_of: Callable[[T], int] = lambda _: 0) -> Sequence[T]:
        """As many items from the beginning as fit, at least one."""
        size_bytes = 0
        for at, item in enumerate(items):
            size_bytes += size_of(item)
            if at and (at >= self.max_items or size_bytes > self.max_bytes):
                return items[:at]
        return items

    def reduce(self, refused: int, size_bytes: int, error: StoreRefused) -> bool:
        """Lowers the limit after so many items of so many bytes were refused. Returns whether fewer can be tried."""
        if refused > 1 and isinstance(error, TooMany):
            self.max_items = min(self.max_items, refused // 2)
        if refused > 1 and isinstance(error, TooLarge):
            self.max_bytes = min(self.max_bytes, size_bytes // 2)
        return refused > 1


def read_in_parts(ask: Callable[[Sequence[T]], R], items: Sequence[T], limit: PartLimit) -> list[R]:
    """The answers for all items. Raises StoreRefused if a single item is refused, or for another reason than size."""
    answers = []
    remaining = items
    while remaining:
        part = limit.take_first(remaining)
        try:
            answers.append(ask(part))
        except (TooMany, TooLarge):
            if len(part) == 1:
                raise
            # The items of a read are all of a size, so their number stands for their bytes.
            limit.max_items = len(part) // 2
        else:
            remaining = remaining[len(part) :]
    return answers


def read_fewer(ask: Callable[[int], R], wanted: int, limit: PartLimit) -> R:
    """The answer to a read of `wanted` items, or of as many as the store gives at once. Raises StoreRefused."""
    while True:
        number = min(wanted, limit.max_items)
        try:
            return ask(number)
        except (TooMany, TooLarge):
            if number == 1:
                raise
            limit.max_items = number // 2


def write_in_parts(
    send: Callable[[Sequence[T]], None], items: Sequence[T], limit: PartLimit, size_of: Callable[[T], int]
) -> list[tuple[T, StoreRefused]]:
    """Sends all items; returns those that the store refuses even alone, each with its error.

    A refused part is halved until the culprit is alone, so the rest of its batch is written. Raises StoreRefused
    if that does not help: several were refused alone and none was accepted.
    """
    refused: list[tuple[T, StoreRefused]] = []
    accepted = False
    todo = [items] if items else []
    while todo:
        chunk = todo.pop()
        part = limit.take_first(chunk, size_of)
        if len(part) < len(chunk):
            todo.append(chunk[len(part) :])
        try:
            send(part)
        except StoreRefused as error:
            if limit.reduce(len(part), sum(map(size_of, part)), error):
                middle = len(part) // 2
                todo += [part[middle:], part[:middle]]
                continue
            refused.append((part[0], error))
            if not accepted and len(refused) >= MAX_REFUSED_ALONE:
                raise
        else:
            accepted = True
    return refused
