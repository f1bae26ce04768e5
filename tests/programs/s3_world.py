"""The bucket of s3_changes.py: what is in it, random changes and who is told of them, and the faults of its store."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from redis import Redis

from lookalike.broker.telemetry import Telemetry
from lookalike.redis_keys import Keys
from tests.local.conftest import Machine
from tests.support.faulty.faulty_store import FaultyStore
from tests.support.object_store import Bucket
from tests.support.pictures import encoded, picture

PREFIX, EVENTS = "library", "bucket-events"
# Every second change is told by a notification, the others are left to the scans.
TOLD = 0.5
KINDS = ("new", "other", "deleted", "moved", "copied")
FAULTS: tuple[Mapping[str, object], ...] = (
    {"throttled": 0.3},
    {"failing": 0.3},
    {"cut_listings": 1.0},
    {"denied": "ExpiredToken"},
    {"empty_listings": True},
    {"slow_s": 0.05},
    {"broken_off": 0.3},
    {"throttled": 0.1, "failing": 0.1, "cut_listings": 0.5, "broken_off": 0.1},
)


@dataclass
class World:
    """The bucket, what is in it, and the system that follows it."""

    bucket: Bucket
    store: FaultyStore
    machine: Machine
    chance: random.Random
    # Seeds of the pictures by their paths.
    there: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def fill(self, keys: int) -> None:
        """Writes so many different pictures."""
        for _ in range(keys):
            self._put(f"{self.made % 97}/{self.made}.png")

    def change(self) -> None:
        """One change of a random kind."""
        kind = self.chance.choice(KINDS)
        old = self.chance.choice(list(self.there))
        new = f"{self.chance.randrange(97)}/{kind}-{self.made}.png"
        self.made += 1
        told = [("s3:ObjectCreated:Put", new)]
        if kind == "new":
            self._put(new)
        elif kind == "other":
            self._put(old)
            told = [("s3:ObjectCreated:Put", old)]
        elif kind == "deleted":
            self.bucket.delete(f"{PREFIX}/{old}")
            del self.there[old]
            told = [("s3:ObjectRemoved:Delete", old)]
        else:
            self.bucket.copy(f"{PREFIX}/{old}", f"{PREFIX}/{new}")
            self.there[new] = self.there[old]
            if kind == "moved":
                self.bucket.delete(f"{PREFIX}/{old}")
                del self.there[old]
                told.append(("s3:ObjectRemoved:Delete", old))
        if self.chance.random() < TOLD:
            self.tell(*told)

    def tell(self, *events: tuple[str, str]) -> None:
        """Notifications, as MinIO writes them; without any it is one that is not understood, which asks for a scan."""
        records = [
            {"eventName": name, "s3": {"bucket": {"name": self.bucket.name}, "object": {"key": f"{PREFIX}/{path}"}}}
            for name, path in events
        ]
        with self._redis() as redis:
            redis.rpush(EVENTS, json.dumps([{"Event": records}] if records else 7))

    def scans(self) -> int:
        """Whole scans so far."""
        with self._redis() as redis:
            return Telemetry(redis, Keys("lookalike")).read_report().scans

    def _put(self, path: str) -> None:
        self.bucket.put(f"{PREFIX}/{path}", content(self.made))
        self.there[path] = self.made
        self.made += 1

    def _redis(self) -> Redis:
        assert self.machine.running is not None
        return Redis.from_url(self.machine.running.redis_url)


def content(seed: int) -> bytes:
    """The picture of a seed."""
    return encoded(picture(seed))
