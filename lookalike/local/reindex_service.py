"""`python -m lookalike.local.reindex_service [--once]`: the program that carries out a reindex (reindexing.py).

In a container it looks at the broker about once a second, carries out what is asked for, and drops what was kept for
too long. With `--once` it ends when nothing is asked for: `up` looks by itself, and starts it when something is. The
processes that fill in the second generation end with it.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.generations import GenerationState
from lookalike.errors import LookalikeError, Misconfigured
from lookalike.local.reindexing import Reindexing
from lookalike.log import get_logger, log_to_stderr
from lookalike.settings import Settings, read_settings
from lookalike.system.alive_file import AliveFile

log = get_logger(__name__)

LOOK_EVERY_S = 1.0


def serve(settings: Settings, redis: Redis, beat: Callable[[], None]) -> None:
    """Carries out one reindex after another, without end. `beat` is called about once a second."""
    state = GenerationState(redis, settings.keys)
    log.info("waiting for a reindex", name=settings.name)
    while True:
        beat()
        # A broker that does not answer is asked again.
        with suppress(RedisError, OSError):
            state.expire_kept(state.kept(), settings.keep_old_days)
            asked = state.read()
            if asked is not None and asked.order:
                Reindexing(settings, redis, beat=beat).run()
        time.sleep(LOOK_EVERY_S)


def start_alive_file(settings: Settings) -> Callable[[], None]:
    """What beats for the health check, if there is one."""
    if settings.alive_file is None:
        return lambda: None
    alive = AliveFile(settings.alive_file, settings.library_folder)
    alive.start()
    return alive.beat


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> int:
    """Runs the program. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lookalike.local.reindex_service", description="Reindexes.")
    parser.add_argument("--once", action="store_true", help="end when nothing is asked for")
    once = parser.parse_args().once
    try:
        settings = read_settings()
        log_to_stderr(log_format=settings.log_format)
        if settings.library is None:
            raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images, or s3://bucket/prefix.")
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGINT, _end)
        redis = redis_of(settings)
        if once:
            Reindexing(settings, redis).run()
        else:
            serve(settings, redis, start_alive_file(settings))
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
