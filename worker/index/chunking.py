"""Cuts what is sent or asked into parts that the store takes, smaller ones when it refuses. Knows no store."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from worker.errors import StoreRefused, TooLarge, TooMany

T = TypeVar("T")
R = TypeVar("R")

# So many single things are refused one after the other, and nothing was taken: it is not about these.
REFUSED_IN_VAIN = 3


@dataclass
class Bound:
    """How much the store takes at once, as far as this process knows: halved when it refuses, never raised again."""

    most: int = sys.maxsize
    most_bytes: int = sys.maxsize

    def first(self, items: Sequence[T], size_of: Callable[[T], int] = lambda _: 0) -> Sequence[T]:
        """As many from the beginning as fit, at least one."""
        size_bytes = 0
        for at, item in enumerate(items):
            size_bytes += size_of(item)
            if at and (at >= self.most or size_bytes > self.most_bytes):
                return items[:at]
        return items

    def learn(self, refused: int, size_bytes: int, error: StoreRefused) -> bool:
        """Takes in that so many of so many bytes were refused together. Whether fewer may be tried."""
        if refused > 1 and isinstance(error, TooMany):
            self.most = min(self.most, refused // 2)
        if refused > 1 and isinstance(error, TooLarge):
            self.most_bytes = min(self.most_bytes, size_bytes // 2)
        return refused > 1


def asked_in_parts(ask: Callable[[Sequence[T]], R], items: Sequence[T], bound: Bound) -> list[R]:
    """The answers for all items. Raises StoreRefused if the store refuses a single one, or not for being too much."""
    answers = []
    rest = items
    while rest:
        part = bound.first(rest)
        try:
            answers.append(ask(part))
        except (TooMany, TooLarge):
            if len(part) == 1:
                raise
            # Of questions all are of a size, so their number stands for their bytes.
            bound.most = len(part) // 2
        else:
            rest = rest[len(part) :]
    return answers


def asked_for_fewer(ask: Callable[[int], R], wanted: int, bound: Bound) -> R:
    """The answer to a question for `wanted` things, or for as many as the store gives at once. Raises StoreRefused."""
    while True:
        limit = min(wanted, bound.most)
        try:
            return ask(limit)
        except (TooMany, TooLarge):
            if limit == 1:
                raise
            bound.most = limit // 2


def sent_in_parts(
    send: Callable[[Sequence[T]], None], items: Sequence[T], bound: Bound, size_of: Callable[[T], int]
) -> list[tuple[T, StoreRefused]]:
    """Sends all items; returns those that the store refuses even alone, each with its error.

    What is refused is halved until the culprit is alone, so the others of its batch are taken. Raises StoreRefused
    if that is of no use: several were refused alone and nothing was taken.
    """
    refused: list[tuple[T, StoreRefused]] = []
    taken = False
    todo = [items] if items else []
    while todo:
        chunk = todo.pop()
        part = bound.first(chunk, size_of)
        if len(part) < len(chunk):
            todo.append(chunk[len(part) :])
        try:
            send(part)
        except StoreRefused as error:
            if bound.learn(len(part), sum(map(size_of, part)), error):
                middle = len(part) // 2
                todo += [part[middle:], part[:middle]]
                continue
            refused.append((part[0], error))
            if not taken and len(refused) >= REFUSED_IN_VAIN:
                raise
        else:
            taken = True
    return refused
