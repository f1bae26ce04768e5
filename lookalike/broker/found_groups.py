"""The groups that a job for duplicates found, in pages at the broker, so that a client reads what it shows alone.

A page is compressed JSON: 20,000 groups of five files are 2 MB. They stay for a week, or until Redis is emptied.
"""

import zlib
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError
from redis import Redis

from lookalike.broker.together import Question
from lookalike.duplicates.groups import Group, Groups
from lookalike.messages import DuplicatesReply
from lookalike.redis_keys import Keys

PAGE_GROUPS = 100
KEPT_S = 7 * 24 * 3600


class FoundGroups:
    """The pages of one system. Methods raise RedisError."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def write(self, job: str, groups: Sequence[Group], summary: str, *, whole: bool) -> None:
        """Stores the pages; and as the last summary, which `status` tells, if the job was over the `whole` library."""
        key, last = self._keys.groups(job), max(0, (len(groups) - 1) // PAGE_GROUPS)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(key)
            for number in range(last + 1):
                some = groups[number * PAGE_GROUPS : (number + 1) * PAGE_GROUPS]
                page = Groups.model_construct(groups=list(some), next=None if number == last else number + 1)
                pipe.hset(key, str(number), zlib.compress(page.model_dump_json().encode()))
                if number % PAGE_GROUPS == 0:
                    pipe.execute()
            pipe.expire(key, KEPT_S)
            if whole:
                pipe.set(self._keys.last_groups, summary)
            pipe.execute()

    def page(self, job: str, number: int) -> str | None:
        """One page as JSON; None if there is none."""
        found = self._redis.hget(self._keys.groups(job), str(number))
        return None if found is None else zlib.decompress(found).decode()  # type: ignore[arg-type]

    def summary_question(self) -> Question[DuplicatesReply | None]:
        """That of the last job over the whole library; None if there was none that this version understands."""
        return Question(("GET", self._keys.last_groups), _summary)


def _summary(found: bytes | None) -> DuplicatesReply | None:
    with suppress(ValidationError):
        return None if found is None else DuplicatesReply.model_validate_json(found)
    return None
