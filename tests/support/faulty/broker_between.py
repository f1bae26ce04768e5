"""A server between clients and a broker: it passes commands on, or answers some of them badly itself."""

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

Command = tuple[bytes, ...]
"""A command's name and its arguments, as they were sent."""

# After these a connection is the subscriber's: messages come without being asked for.
SUBSCRIBING = frozenset({b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"MONITOR"})
AGGREGATES = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}


class Lost(Enum):
    """The connection breaks before the broker gets the command, or after it has done it."""

    BEFORE = "before"
    AFTER = "after"


Rule = Callable[[Command], "Lost | str | None"]
"""What happens to a command: it is lost, refused with this error of the broker, or passed on."""


class _Stream:
    """Reads whole commands and replies from a socket, as bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def command(self) -> Command | None:
        """The next command; None at the end."""
        head = self._file.readline()
        if not head.startswith(b"*"):
            return None
        parts = []
        for _ in range(int(head[1:])):
            size = int(self._file.readline()[1:])
            parts.append(self._file.read(size + 2)[:-2])
        return tuple(parts)

    def reply(self) -> bytes:
        """The next reply, whatever it is."""
        head = self._file.readline()
        if not head:
            raise ConnectionResetError
        kind, rest = head[:1], head[1:-2]
        if kind in b"$=!" and rest != b"-1":
            return head + self._file.read(int(rest) + 2)
        if kind in AGGREGATES and rest != b"-1":
            return head + b"".join(self.reply() for _ in range(AGGREGATES[kind] * int(rest)))
        return head


def _packed(command: Command) -> bytes:
    parts = [b"$%d\r\n%b\r\n" % (len(part), part) for part in command]
    return b"*%d\r\n" % len(command) + b"".join(parts)


def _relay(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            content = ready.recv(65536)
            if not content:
                return
            (other if ready is one else one).sendall(content)


class _Conversation:
    """One client's connection."""

    def __init__(self, client: _Stream, broker: _Stream, rule: Rule) -> None:
        self._client = client
        self._broker = broker
        self._rule = rule
        # Of a transaction: whether the broker knows of it, and the error that one of its commands met.
        self._is_open = False
        self._error = ""

    def run(self) -> None:
        """Passes commands on until one side ends or a command is lost."""
        while (command := self._client.command()) is not None:
            name = command[0].upper()
            if name in SUBSCRIBING:
                self._broker.send(_packed(command))
                _relay(self._client.socket, self._broker.socket)
                return
            met = self._rule(command)
            if met is Lost.BEFORE:
                return
            if isinstance(met, str) or self._error:
                self._refuse(name, met if isinstance(met, str) else self._error)
                continue
            self._broker.send(_packed(command))
            if not self._broker_answers():
                return
            reply = self._broker.reply()
            self._is_open = (self._is_open or name == b"MULTI") and name not in {b"EXEC", b"DISCARD"}
            if met is Lost.AFTER:
                return
            self._client.send(reply)

    def _refuse(self, name: bytes, error: str) -> None:
        """As the broker does: a refused command spoils its transaction."""
        if name in {b"EXEC", b"DISCARD"}:
            if self._is_open:
                self._broker.send(_packed((b"DISCARD",)))
                self._broker.reply()
            self._is_open, self._error = False, ""
            error = "EXECABORT Transaction discarded because of previous errors."
        elif self._is_open or name == b"MULTI":
            self._error = error
        self._client.send(f"-{error}\r\n".encode())

    def _broker_answers(self) -> bool:
        """Waits for the answer; False if the client hangs up, which a broker sees while a command of its blocks."""
        ready = select.select([self._broker.socket, self._client.socket], [], [])[0]
        # Or the client has sent its next command already.
        return self._broker.socket in ready or bool(self._client.socket.recv(1, socket.MSG_PEEK))


@contextmanager
def broker_between(url: str, rule: Rule) -> Iterator[str]:
    """URL to use in place of the given one; `rule` is called in the thread of each connection."""
    parts = urlsplit(url)
    broker_at = (parts.hostname or "127.0.0.1", parts.port or 6379)

    class Between(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ValueError), socket.create_connection(broker_at) as broker:
                for one in (self.request, broker):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _Conversation(_Stream(self.request), _Stream(broker), rule).run()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 100

    with Server(("127.0.0.1", 0), Between) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield parts._replace(netloc=f"127.0.0.1:{server.server_address[1]}").geturl()
        finally:
            server.shutdown()
