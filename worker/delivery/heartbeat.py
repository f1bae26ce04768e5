"""A worker's heartbeat: given by its main loop, written with the lease by the thread that makes a request anyway."""

from redis.client import Pipeline
from redis.exceptions import RedisError

from lookalike.broker.telemetry import Telemetry
from lookalike.log import get_logger

log = get_logger(__name__)


class Heartbeat:
    """`beat` is for the main loop, `write` for the other thread, which writes nothing if there was no beat."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._hostname = ""
        self._is_known = False

    def beat(self, hostname: str) -> None:
        """The part, whose name stands before the `@`, is alive. The first time that is written at once."""
        if self._is_known:
            self._hostname = hostname
            return
        try:
            self._telemetry.heartbeat(hostname.partition("@")[0], hostname)
            self._is_known = True
        except RedisError as error:
            log.warning("no heartbeat", why=str(error))

    def write(self, pipe: Pipeline) -> None:
        """Adds the heartbeat to a request, if there was one since the last time."""
        hostname, self._hostname = self._hostname, ""
        if hostname:
            self._telemetry.heartbeat(hostname.partition("@")[0], hostname, pipe)
