"""How a worker waits for messages: in requests of ten seconds, which can be ended, where kombu asks once a second."""

from contextlib import suppress
from typing import Any

from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import SentinelChannel, SentinelTransport
from kombu.transport.redis import Transport as RedisTransport
from redis.exceptions import RedisError, ResponseError

from lookalike.broker.address import SENTINEL_PORT

# As Celery's options name classes.
TRANSPORT = f"{__name__}:Transport"
BEHIND_SENTINELS = f"{__name__}:BehindSentinels"
# Below the time after which kombu takes a connection for dead, 26 s.
LONGEST_S = 10
SWEEP_EVERY_S = 60.0


class EndableWait:
    """A channel whose BRPOP is ended by CLIENT UNBLOCK: at its close, which reads the answer, and when a pause begins.

    Where the broker does not allow that, it asks as often as kombu does.
    """

    # Kombu's own.
    client: Any
    _in_poll: Any
    conn_or_acquire: Any
    # The socket that waits, and its id at the broker; None where it may not be used.
    _waiting: tuple[Any, int | None] = (None, None)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Called by kombu with no request under way."""
        connection = self.client.connection
        if connection._sock is not self._waiting[0]:  # noqa: SLF001
            self._waiting = connection._sock, _id_of(connection)  # noqa: SLF001
        super()._brpop_start(timeout if self._waiting[1] is None else LONGEST_S)  # type: ignore[misc]

    def end_wait(self) -> None:
        """Has a request that is under way answered now; a message that it brings is taken as ever."""
        _, number = self._waiting
        if self._in_poll and number is not None:
            with suppress(RedisError, OSError), self.conn_or_acquire() as client:
                client.client_unblock(number)

    def close(self) -> None:
        """Called by kombu."""
        self.end_wait()
        super().close()  # type: ignore[misc]


def _id_of(connection: Any) -> int | None:
    try:
        # The second shows whether that is allowed: no client has this id.
        for words in (("CLIENT", "ID"), ("CLIENT", "UNBLOCK", "0")):
            connection.send_command(*words)
        number, _ = int(connection.read_response()), connection.read_response()
    except ResponseError:
        return None
    return number


class SeldomSwept:
    """Looks each minute after the bindings of its queues, which end after an hour, where kombu does each second."""

    cycle: Any

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Called by kombu each time it has connected."""
        super().register_with_event_loop(connection, loop)  # type: ignore[misc]
        self.cycle._binding_expiry_tref.cancel()  # noqa: SLF001
        refresh = self.cycle.maybe_refresh_binding_expiry
        self.cycle._binding_expiry_tref = loop.call_repeatedly(SWEEP_EVERY_S, refresh)  # noqa: SLF001


class Channel(EndableWait, RedisChannel):
    """A connection to the broker."""


class Transport(SeldomSwept, RedisTransport):
    """Redis, by that channel."""

    Channel = Channel


class ChannelBehindSentinels(EndableWait, SentinelChannel):
    """A connection to the server that the sentinels name."""


class BehindSentinels(SeldomSwept, SentinelTransport):
    """Redis behind sentinels, by that channel."""

    default_port = SENTINEL_PORT
    Channel = ChannelBehindSentinels
