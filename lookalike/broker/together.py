"""Several questions to the broker in one request: each request wakes both sides, and some are asked for ever."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from redis import Redis
from redis.client import Pipeline

T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[T]):
    """A command of Redis that changes nothing, and what its answer, as redis-py gives it, means."""

    command: tuple[str, ...]
    meaning: Callable[[Any], T]

    def ask(self, redis: Redis) -> T:
        """The answer to this one alone. Raises RedisError."""
        return self.meaning(redis.execute_command(*self.command))  # type: ignore[no-untyped-call]


def ask_together(
    redis: Redis, questions: Mapping[str, Question[Any]], also: Callable[[Pipeline], object] = lambda _: None
) -> dict[str, Any]:
    """The answers, by the names of their questions; `also` adds commands whose answers do not matter.

    Raises RedisError.
    """
    with redis.pipeline(transaction=False) as pipe:
        for question in questions.values():
            pipe.execute_command(*question.command)  # type: ignore[no-untyped-call]
        also(pipe)
        found = pipe.execute()
    # Those of `also` come last.
    return {name: question.meaning(answer) for (name, question), answer in zip(questions.items(), found, strict=False)}
