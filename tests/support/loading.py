"""A broker that is still loading: each command is answered as Redis does meanwhile, until it is told to be ready."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


@contextmanager
def loading_broker(url: str) -> Iterator[tuple[str, threading.Event]]:
    """The URL to ask in place of the given one, and the event that ends the loading."""
    real, is_ready = urlsplit(url), threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if is_ready.is_set():
                self._forward()
                return
            # One command: *N, then N times $LENGTH and its bytes.
            while not is_ready.is_set() and (head := self.rfile.readline()):
                for _ in range(int(head[1:])):
                    self.rfile.read(int(self.rfile.readline()[1:]) + 2)
                self.wfile.write(LOADING)

        def _forward(self) -> None:
            with socket.create_connection((str(real.hostname), int(real.port or 0))) as server:
                threading.Thread(target=_pump, args=(server, self.connection), daemon=True).start()
                _pump(self.connection, server)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as broker:
        broker.daemon_threads = True
        broker.block_on_close = False
        threading.Thread(target=broker.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"redis://127.0.0.1:{broker.server_address[1]}/0", is_ready
        finally:
            broker.shutdown()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
